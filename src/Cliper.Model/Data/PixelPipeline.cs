using Cliper.Kernels.Operations;

namespace Cliper.Model.Data;

/// <summary>Decoded pixels as they are cached: gray pictures keep one channel.</summary>
/// <param name="Width">Columns.</param>
/// <param name="Height">Rows.</param>
/// <param name="Channels">1 or 3.</param>
/// <param name="Pixels">[Height, Width, Channels].</param>
internal sealed record StoredImage(int Width, int Height, int Channels, ReadOnlyMemory<byte> Pixels);

/// <summary>
/// From a decoded picture to a network's input, in two parts: <see cref="Store"/> does what is the same in every epoch,
/// <see cref="Render"/> the rest. One object a thread: it owns scratch memory.
/// </summary>
internal sealed class PixelPipeline(int size, Augmentation augmentation, float[] table)
{
    /// <summary>Shorter side that crops of original pictures are taken from, by the input size.</summary>
    private const double OriginalScale = 1.5;

    private byte[] _square = [];
    private byte[] _changed = [];

    /// <summary>
    /// The picture in the smaller of two forms: as it is, or as every epoch needs it (the test transform's square; for crops of
    /// the original, the shorter side at most 1.5 input sizes). Which of the two has no influence on what is rendered.
    /// </summary>
    public StoredImage Store(RgbImage image)
    {
        StoredImage whole = Compact(image);
        if (augmentation.FromOriginal)
        {
            int shorter = Math.Min(whole.Width, whole.Height), limit = (int)(size * OriginalScale);
            return shorter <= limit ? whole : ShorterSide(whole, limit);
        }
        if (whole.Pixels.Length <= size * size * whole.Channels)
            return whole;
        var square = new byte[size * size * whole.Channels];
        Square(whole, square);
        return new StoredImage(size, size, whole.Channels, square);
    }

    /// <summary>The network's input, [3, size, size].</summary>
    /// <param name="stored">From <see cref="Store"/>.</param>
    /// <param name="random">Draws the variation; frames of a clip begin with equal streams, which makes their draws equal.</param>
    /// <param name="y">Output.</param>
    public void Render(StoredImage stored, RandomStream random, Span<float> y)
    {
        int channels = stored.Channels, bytes = size * size * channels;
        bool isSquare = stored.Width == size && stored.Height == size;
        ReadOnlySpan<byte> square = stored.Pixels.Span;
        if (!augmentation.FromOriginal && !isSquare)
        {
            Square(stored, Scratch(ref _square, bytes));
            square = _square.AsSpan(0, bytes);
        }
        if (augmentation.IsNone)
        {
            Normalize.Picture(square, channels, table, y);
            return;
        }
        (int width, int height) = augmentation.FromOriginal ? (stored.Width, stored.Height) : (size, size);
        Span<byte> changed = Scratch(ref _changed, bytes);
        if (augmentation.JitterFirst)
        {
            // Changed in place, so never in the cache itself.
            Span<byte> before = Scratch(ref _square, width * height * channels);
            if (square != before)
                square.CopyTo(before);
            Jitter(before, channels, ref random);
            Place(before, width, height, channels, ref random, changed);
        }
        else
        {
            Place(square, width, height, channels, ref random, changed);
            Jitter(changed, channels, ref random);
        }
        Normalize.Picture(changed, channels, table, y);
        if (augmentation.Erase > 0 && augmentation.DrawErase(ref random, size) is { } box)
            Erase.Forward(y, size, size, box);
    }

    /// <summary>Crop or warp, and flip.</summary>
    private void Place(ReadOnlySpan<byte> source, int width, int height, int channels, ref RandomStream random, Span<byte> target)
    {
        bool flip = augmentation.Flip > 0 && random.NextBool(augmentation.Flip);
        if (augmentation.HasWarp)
        {
            double radians = augmentation.Rotation * random.NextUniform(-1, 1) * (Math.PI / 180);
            double zoom = 1 + augmentation.Zoom * random.NextUniform(-1, 1);
            float shift = augmentation.Shift * size;
            AffineMap map = AffineMap.About(size, size, radians, zoom, shift * random.NextUniform(-1, 1),
                shift * random.NextUniform(-1, 1), flip);
            Warp.Forward(source, size, size, channels, map, target);
            return;
        }
        PixelBox crop = augmentation.HasCrop ? augmentation.DrawCrop(ref random, width, height) : new(0, 0, width, height);
        if (augmentation.BicubicCrop)
            Resize.Forward<Bicubic>(source, width, height, channels, crop, size, size, new(0, 0, size, size), target);
        else
            Resize.Forward<Bilinear>(source, width, height, channels, crop, size, size, new(0, 0, size, size), target);
        if (flip)
            Flip.Horizontal(target, size, channels);
    }

    /// <summary>torchvision's ColorJitter: each change that is on, in random order.</summary>
    private void Jitter(Span<byte> pixels, int channels, ref RandomStream random)
    {
        if (!augmentation.HasJitter)
            return;
        Span<int> order = [0, 1, 2, 3];
        random.Shuffle(order);
        float brightness = Factor(augmentation.Brightness, ref random), contrast = Factor(augmentation.Contrast, ref random);
        float saturation = Factor(augmentation.Saturation, ref random);
        float hue = augmentation.Hue * random.NextUniform(-1, 1);
        foreach (int change in order)
        {
            switch (change)
            {
                case 0: ColorJitter.Brightness(pixels, brightness); break;
                case 1: ColorJitter.Contrast(pixels, channels, contrast); break;
                case 2: ColorJitter.Saturation(pixels, channels, saturation); break;
                default: ColorJitter.Hue(pixels, channels, hue); break;
            }
        }
    }

    private static float Factor(float range, ref RandomStream random) => Math.Max(0, 1 + range * random.NextUniform(-1, 1));

    /// <summary>CLIP's test transform up to normalisation: shorter side to the input size, centre crop.</summary>
    private void Square(StoredImage image, Span<byte> target)
    {
        // torchvision: the longer side is rounded down, the crop's corner to the nearest, ties to even.
        bool portrait = image.Width <= image.Height;
        int width = portrait ? size : (int)((double)size * image.Width / image.Height);
        int height = portrait ? (int)((double)size * image.Height / image.Width) : size;
        var window = new PixelBox((int)Math.Round((width - size) / 2.0), (int)Math.Round((height - size) / 2.0), size, size);
        Resize.Forward<Bicubic>(image.Pixels.Span, image.Width, image.Height, image.Channels, new(0, 0, image.Width, image.Height),
            width, height, window, target);
    }

    private static StoredImage ShorterSide(StoredImage image, int shorter)
    {
        bool portrait = image.Width <= image.Height;
        int width = portrait ? shorter : (int)((double)shorter * image.Width / image.Height);
        int height = portrait ? (int)((double)shorter * image.Height / image.Width) : shorter;
        var pixels = new byte[width * height * image.Channels];
        Resize.Forward<Bicubic>(image.Pixels.Span, image.Width, image.Height, image.Channels, width, height, pixels);
        return new StoredImage(width, height, image.Channels, pixels);
    }

    /// <summary>Gray in one channel: every operation gives the same on it as on three equal ones.</summary>
    private static StoredImage Compact(RgbImage image)
    {
        byte[] rgb = image.Pixels;
        for (int i = 0; i < rgb.Length; i += 3)
            if (rgb[i] != rgb[i + 1] || rgb[i] != rgb[i + 2])
                return new StoredImage(image.Width, image.Height, 3, rgb);
        var gray = new byte[rgb.Length / 3];
        for (int i = 0; i < gray.Length; i++)
            gray[i] = rgb[3 * i];
        return new StoredImage(image.Width, image.Height, 1, gray);
    }

    private static Span<byte> Scratch(ref byte[] buffer, int bytes)
    {
        if (buffer.Length < bytes)
            buffer = new byte[bytes];
        return buffer.AsSpan(0, bytes);
    }
}
