using System.Buffers;
using Cliper.Autograd;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>
/// Stored images with the transform of each. A GPU renders the network's input from them in a handful of launches:
/// pixels are bytes up to the last launch, which writes the patches that the image tower multiplies. The values are
/// those of <see cref="PixelPipeline.Render"/>, rounded to the type of the device's activations.
/// </summary>
/// <param name="images">Images and transforms, in the order of the input.</param>
/// <param name="pipeline">Gives the input's size and table.</param>
/// <param name="patch">Side of the image tower's patches.</param>
/// <param name="gathered">Most bytes of images that are uploaded at once; a larger one is uploaded by itself.</param>
internal sealed class RawImages(IReadOnlyList<(StoredImage Image, ImageTransform Transform)> images,
    PixelPipeline pipeline, int patch, int gathered = 16 << 20)
{
    // Images are aligned, so that several bytes can be read at a time.
    private const int Alignment = 16;

    private readonly List<DeviceArray> _owned = [];
    private ImageView[] _current = [];

    /// <summary>Whether a device renders its input itself; else the loader's threads do.</summary>
    public static bool AreFor(Device? device) => device is GpuDevice;

    /// <summary>The network's input, [images, patches, 3 patch patch]; disposed by the caller.</summary>
    public Tensor Render(Device device)
    {
        int size = pipeline.Size;
        // The output is allocated first, so that its address does not depend on the sizes of the images.
        var y = new Tensor(device, new Shape(images.Count, size / patch * (size / patch), 3 * patch * patch),
            device.Activations);
        Upload(device);
        ResizeEach<Bicubic>(device, At((image, transform) => transform.FromSquare
            && (image.Width, image.Height) != (size, size)),
            (source, _) => (Resizing.ToSquare(source.Width, source.Height, size), false));
        Jitter(first: true);
        ResizeEach<Bicubic>(device, At((_, transform) => transform.Crop is not null && transform.Bicubic), CropOf);
        ResizeEach<Bilinear>(device, At((_, transform) => transform.Crop is not null && !transform.Bicubic), CropOf);
        WarpEach(device, At((_, transform) => transform.Map is not null));
        Jitter(first: false);
        Normalize.Forward([.. _current.Select((image, at) => (image, images[at].Transform.Erased))],
            Own(device.From(pipeline.Table)), y.Data, patch);
        foreach (DeviceArray array in _owned)
            device.Free(array);
        return y;

        (Resize.Geometry, bool) CropOf(ImageView _, ImageTransform transform) =>
            (new(transform.Crop!.Value, size, size, new(0, 0, size, size)), transform.Flip);
    }

    // Many small uploads cost a GPU more than their bytes, so neighbors are uploaded together, in the device's layout.
    private void Upload(Device device)
    {
        _current = Make(device, images.Select(image => (image.Image.Width, image.Image.Height, image.Image.Channels)));
        DeviceArray all = _owned[^1];
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(gathered, all.Bytes));
        for (int first = 0, next; first < _current.Length; first = next)
        {
            next = first + 1;
            long start = Start(first), end = Start(next);
            if (end - start > gathered)
            {
                device.Upload(images[first].Image.Pixels.Span, _current[first].Pixels);
                continue;
            }
            while (next < _current.Length && Start(next + 1) - start <= gathered)
                end = Start(++next);
            Span<byte> together = buffer.AsSpan(0, (int)(end - start));
            for (int i = first; i < next; i++)
                images[i].Image.Pixels.Span.CopyTo(together[(int)(Start(i) - start)..]);
            device.Upload(together, all.Slice(start, end - start));
        }
        ArrayPool<byte>.Shared.Return(buffer);

        long Start(int index) => index == _current.Length ? all.Bytes : _current[index].Pixels.Address - all.Address;
    }

    private void ResizeEach<TFilter>(Device device, int[] chosen,
        Func<ImageView, ImageTransform, (Resize.Geometry, bool Mirror)> how) where TFilter : struct, IResizeFilter
    {
        ImageView[] sources = Replace(device, chosen);
        Resize.Forward<TFilter>([.. chosen.Select((at, i) =>
        {
            (Resize.Geometry to, bool mirror) = how(sources[i], images[at].Transform);
            return new Resize.Part(sources[i], to.Crop, to.Width, to.Height, to.Window, mirror, _current[at]);
        })]);
    }

    private void WarpEach(Device device, int[] chosen)
    {
        ImageView[] sources = Replace(device, chosen);
        AffineWarp.Forward([.. chosen.Select((at, i) => (sources[i], images[at].Transform.Map!.Value, _current[at]))]);
    }

    // Works in place, on the uploaded copy.
    private void Jitter(bool first) =>
        ColorJitter.Forward([.. At((_, transform) => transform.Changes is not null && transform.JitterFirst == first)
        .Select(at => (_current[at], images[at].Transform.Changes!.Value))]);

    private int[] At(Func<ImageView, ImageTransform, bool> chosen) =>
        [.. Enumerable.Range(0, _current.Length).Where(at => chosen(_current[at], images[at].Transform))];

    // Replaces some images by unwritten squares of the input's size, and returns the images that were there.
    private ImageView[] Replace(Device device, int[] chosen)
    {
        if (chosen.Length == 0)
            return [];
        int size = pipeline.Size;
        ImageView[] before = [.. chosen.Select(at => _current[at])];
        foreach ((int at, ImageView square) in chosen.Zip(Make(device,
            before.Select(image => (size, size, image.Channels)))))
            _current[at] = square;
        return before;
    }

    // Allocates images in one array; their pixels are not written yet.
    private ImageView[] Make(Device device, IEnumerable<(int Width, int Height, int Channels)> sizes)
    {
        long bytes = 0;
        (long At, int Width, int Height, int Channels)[] places = [.. sizes.Select(size =>
        {
            long at = bytes;
            bytes += ((long)size.Width * size.Height * size.Channels + Alignment - 1) / Alignment * Alignment;
            return (at, size.Width, size.Height, size.Channels);
        })];
        DeviceArray all = Own(device.Allocate(bytes, ElementType.UInt8));
        return [.. places.Select(place =>
            new ImageView(all.Slice(place.At, (long)place.Width * place.Height * place.Channels), place.Width,
            place.Height, place.Channels))];
    }

    private DeviceArray Own(DeviceArray array)
    {
        _owned.Add(array);
        return array;
    }
}
