using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>
/// The transform of one image: all values that were drawn at random, and the order of the steps. Every device renders
/// the same.
/// </summary>
internal readonly record struct ImageTransform
{
    /// <summary>Whether the test transform's square comes first.</summary>
    public bool FromSquare { get; init; }

    /// <summary>Whether the colors change before crop, warp and flip.</summary>
    public bool JitterFirst { get; init; }

    /// <summary>Part that is resized to the input size; null where nothing or a warp is.</summary>
    public PixelBox? Crop { get; init; }

    /// <summary>Whether the crop is resized with the bicubic filter.</summary>
    public bool Bicubic { get; init; }

    /// <summary>Whether the crop is mirrored.</summary>
    public bool Flip { get; init; }

    /// <summary>Turn, zoom, shift and flip in one pass; null for none.</summary>
    public AffineMap? Map { get; init; }

    /// <summary>Changes of color; null for none.</summary>
    public ColorJitter.Changes? Changes { get; init; }

    /// <summary>Rectangle that is erased; null for none.</summary>
    public PixelBox? Erased { get; init; }
}

/// <summary>
/// Turns a stored image into a network's input in two steps: <see cref="Draw"/> samples the random transform, and
/// <see cref="Render"/> applies it, unless a GPU does (<see cref="RawImages"/>). It owns scratch memory, so each thread
/// has its own.
/// </summary>
internal sealed class PixelPipeline(int size, Augmentation augmentation, float[] table)
{
    private byte[] _square = [];
    private byte[] _changed = [];

    /// <summary>Side of the network's input.</summary>
    public int Size => size;

    /// <summary>Values of a byte in each channel, see <see cref="Normalize.Table"/>.</summary>
    public float[] Table => table;

    /// <summary>Samples the transform of an image.</summary>
    /// <param name="stored">The image, whole or as a cache keeps it: the transform is the same.</param>
    /// <param name="random">Frames of a clip begin with equal streams, which makes their transforms equal.</param>
    public ImageTransform Draw(StoredImage stored, RandomStream random)
    {
        var transform = new ImageTransform
        {
            FromSquare = !augmentation.FromOriginal,
            JitterFirst = augmentation.JitterFirst,
            Bicubic = augmentation.BicubicCrop
        };
        if (augmentation.IsNone)
            return transform;
        if (augmentation.JitterFirst)
            transform = transform with { Changes = DrawChanges(ref random) };
        bool flip = augmentation.Flip > 0 && random.NextBool(augmentation.Flip);
        (int width, int height) = augmentation.FromOriginal ? (stored.Width, stored.Height) : (size, size);
        if (augmentation.HasWarp)
            transform = transform with { Map = DrawMap(ref random, flip) };
        else
            transform = transform with
            {
                Flip = flip,
                Crop = augmentation.HasCrop
                ? augmentation.DrawCrop(ref random, width, height) : new(0, 0, width, height)
            };
        if (!augmentation.JitterFirst)
            transform = transform with { Changes = DrawChanges(ref random) };
        return augmentation.Erase > 0 ? transform with { Erased = augmentation.DrawErase(ref random, size) }
            : transform;
    }

    /// <summary>The test transform with the image mirrored left to right after it.</summary>
    /// <param name="plain">From <see cref="Draw"/> without an augmentation.</param>
    public ImageTransform Mirrored(in ImageTransform plain) =>
        plain with { Crop = new PixelBox(0, 0, size, size), Flip = true };

    /// <summary>The network's input, [3, size, size].</summary>
    /// <param name="stored">The image.</param>
    /// <param name="transform">From <see cref="Draw"/>.</param>
    /// <param name="y">Output.</param>
    public void Render(StoredImage stored, in ImageTransform transform, Span<float> y)
    {
        int channels = stored.Channels, bytes = size * size * channels, width = stored.Width, height = stored.Height;
        ReadOnlySpan<byte> pixels = stored.Pixels.Span;
        if (transform.FromSquare && (width, height) != (size, size))
        {
            Span<byte> square = Scratch(ref _square, bytes);
            stored.ResizeTo(Resizing.ToSquare(width, height, size), square);
            pixels = square;
            (width, height) = (size, size);
        }
        if (transform is { JitterFirst: true, Changes: { } before })
        {
            // Changed in place, so never in the cache itself.
            Span<byte> copy = Scratch(ref _square, pixels.Length);
            if (pixels != copy)
                pixels.CopyTo(copy);
            ColorJitter.Forward(copy, channels, before);
            pixels = copy;
        }
        if (transform.Crop is not null || transform.Map is not null)
        {
            Span<byte> placed = Scratch(ref _changed, bytes);
            Place(pixels, width, height, channels, transform, placed);
            if (transform is { JitterFirst: false, Changes: { } after })
                ColorJitter.Forward(placed, channels, after);
            pixels = placed;
        }
        Normalize.Picture(pixels, channels, table, y);
        if (transform.Erased is { } box)
            Erase.Forward(y, size, size, box);
    }

    /// <summary>Crop or warp, and flip.</summary>
    private void Place(ReadOnlySpan<byte> source, int width, int height, int channels, in ImageTransform transform,
        Span<byte> target)
    {
        if (transform.Map is { } map)
        {
            AffineWarp.Forward(source, size, size, channels, map, target);
            return;
        }
        var to = new Resize.Geometry(transform.Crop!.Value, size, size, new(0, 0, size, size));
        if (transform.Bicubic)
            Resize.Forward<Bicubic>(source, width, height, channels, to, target);
        else
            Resize.Forward<Bilinear>(source, width, height, channels, to, target);
        if (transform.Flip)
            Flip.Horizontal(target, size, channels);
    }

    private AffineMap DrawMap(ref RandomStream random, bool flip)
    {
        double radians = augmentation.Rotation * random.NextUniform(-1, 1) * (Math.PI / 180);
        double zoom = 1 + augmentation.Zoom * random.NextUniform(-1, 1);
        float shift = augmentation.Shift * size;
        return AffineMap.About(size, size, radians, zoom, shift * random.NextUniform(-1, 1),
            shift * random.NextUniform(-1, 1), flip);
    }

    /// <summary>torchvision's ColorJitter: each change that is on, in random order.</summary>
    private ColorJitter.Changes? DrawChanges(ref RandomStream random)
    {
        if (!augmentation.HasJitter)
            return null;
        Span<ColorJitter.Change> order =
            [ColorJitter.Change.Brightness, ColorJitter.Change.Contrast, ColorJitter.Change.Saturation,
            ColorJitter.Change.Hue];
        random.Shuffle(order);
        float brightness = Factor(augmentation.Brightness, ref random), contrast = Factor(augmentation.Contrast,
            ref random);
        float saturation = Factor(augmentation.Saturation, ref random);
        return new(order[0], order[1], order[2], order[3], brightness, contrast, saturation,
            augmentation.Hue * random.NextUniform(-1, 1));
    }

    private static float Factor(float range, ref RandomStream random) =>
        Math.Max(0, 1 + range * random.NextUniform(-1, 1));

    private static Span<byte> Scratch(ref byte[] buffer, int bytes)
    {
        if (buffer.Length < bytes)
            buffer = new byte[bytes];
        return buffer.AsSpan(0, bytes);
    }
}
