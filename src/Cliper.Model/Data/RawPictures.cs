using Cliper.Autograd;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Data;

/// <summary>
/// Pictures as they are stored, and what becomes of each. A GPU makes the network's input of them in a handful of launches, the bits of
/// <see cref="PixelPipeline.Render"/>; bytes travel there instead of fp32 numbers.
/// </summary>
/// <param name="pictures">Pictures and plans, in the order of the input.</param>
/// <param name="pipeline">Gives the input's size and table.</param>
internal sealed class RawPictures(IReadOnlyList<(StoredImage Image, PixelPlan Plan)> pictures, PixelPipeline pipeline)
{
    private readonly List<DeviceArray> _owned = [];
    private Picture[] _current = [];

    /// <summary>Whether a device makes its input itself; else the threads that load the pictures do.</summary>
    public static bool AreFor(Device? device) => device is GpuDevice;

    /// <summary>The network's input, [pictures, 3, size, size]; the caller's to end.</summary>
    public Tensor Render(Device device)
    {
        int size = pipeline.Size;
        // First, so that it lies in the same place whatever the size of the pictures.
        var y = new Tensor(device, new Shape(pictures.Count, 3, size, size));
        Upload(device);
        ResizeEach<Bicubic>(device, At((picture, plan) => plan.FromSquare && (picture.Width, picture.Height) != (size, size)),
            (source, _) => (pipeline.SquareOf(source.Width, source.Height), false));
        Jitter(first: true);
        ResizeEach<Bicubic>(device, At((_, plan) => plan.Crop is not null && plan.Bicubic), CropOf);
        ResizeEach<Bilinear>(device, At((_, plan) => plan.Crop is not null && !plan.Bicubic), CropOf);
        WarpEach(device, At((_, plan) => plan.Map is not null));
        Jitter(first: false);
        Normalize.Forward(_current, y.Data, Own(device.From(pipeline.Table)));
        Erase.Forward(y.Data, size, size, [.. At((_, plan) => plan.Erased is not null).Select(at => (at, pictures[at].Plan.Erased!.Value))]);
        foreach (DeviceArray array in _owned)
            device.Free(array);
        return y;

        (PixelPipeline.Resizing, bool) CropOf(Picture _, PixelPlan plan) => (new(plan.Crop!.Value, size, size, new(0, 0, size, size)), plan.Flip);
    }

    private void Upload(Device device)
    {
        DeviceArray all = Own(device.Allocate(pictures.Sum(picture => (long)picture.Image.Pixels.Length), ElementType.UInt8));
        _current = new Picture[pictures.Count];
        long at = 0;
        for (int i = 0; i < _current.Length; i++)
        {
            StoredImage image = pictures[i].Image;
            _current[i] = new Picture(all.Slice(at, image.Pixels.Length), image.Width, image.Height, image.Channels);
            device.Upload(image.Pixels.Span, _current[i].Pixels);
            at += image.Pixels.Length;
        }
    }

    private void ResizeEach<TFilter>(Device device, int[] chosen, Func<Picture, PixelPlan, (PixelPipeline.Resizing, bool Mirror)> how)
        where TFilter : struct, IResizeFilter
    {
        Picture[] sources = Replace(device, chosen);
        Resize.Forward<TFilter>([.. chosen.Select((at, i) =>
        {
            (PixelPipeline.Resizing to, bool mirror) = how(sources[i], pictures[at].Plan);
            return new Resize.Part(sources[i], to.Crop, to.Width, to.Height, to.Window, mirror, _current[at]);
        })]);
    }

    private void WarpEach(Device device, int[] chosen)
    {
        Picture[] sources = Replace(device, chosen);
        Warp.Forward([.. chosen.Select((at, i) => (sources[i], pictures[at].Plan.Map!.Value, _current[at]))]);
    }

    // In place: what was uploaded is a copy.
    private void Jitter(bool first) => ColorJitter.Forward([.. At((_, plan) => plan.Changes is not null && plan.JitterFirst == first)
        .Select(at => (_current[at], pictures[at].Plan.Changes!.Value))]);

    private int[] At(Func<Picture, PixelPlan, bool> chosen) =>
        [.. Enumerable.Range(0, _current.Length).Where(at => chosen(_current[at], pictures[at].Plan))];

    // Squares of the input's size, to be written, in place of some pictures, which are returned.
    private Picture[] Replace(Device device, int[] chosen)
    {
        if (chosen.Length == 0)
            return [];
        int size = pipeline.Size;
        Picture[] before = [.. chosen.Select(at => _current[at])];
        DeviceArray all = Own(device.Allocate(before.Sum(picture => (long)size * size * picture.Channels), ElementType.UInt8));
        long from = 0;
        foreach (int at in chosen)
        {
            int channels = _current[at].Channels;
            _current[at] = new Picture(all.Slice(from, size * size * channels), size, size, channels);
            from += size * size * channels;
        }
        return before;
    }

    private DeviceArray Own(DeviceArray array)
    {
        _owned.Add(array);
        return array;
    }
}
