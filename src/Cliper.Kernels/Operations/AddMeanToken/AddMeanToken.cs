using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The tokens of CLIP's attention pooling: y[n, 0] = mean over p of x[n, p] + positions[0] and y[n, t] = x[n, t - 1] +
/// positions[t]. A NaN of x reaches its own element and that of its image's mean; one of the positions reaches that
/// element of every image.
/// </summary>
public static partial class AddMeanToken
{
    /// <summary>Puts the mean of the pixels in front of them and adds the positions.</summary>
    /// <param name="x">[samples, pixels, width].</param>
    /// <param name="positions">[pixels + 1, width].</param>
    /// <param name="y">[samples, pixels + 1, width]; must not overlap <paramref name="x"/>.</param>
    /// <param name="samples">Images.</param>
    /// <param name="pixels">Pixels of an image, at least one.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Forward(DeviceArray x, DeviceArray positions, DeviceArray y, int samples, int pixels, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pixels, 1);
        Check.Length(x, (long)samples * pixels * width, nameof(x));
        Check.Length(positions, (pixels + 1L) * width, nameof(positions));
        Check.Length(y, samples * (pixels + 1L) * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardCpu(host, x, positions, y, samples, pixels, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, positions, y, samples, pixels, width); break;
            default: throw Check.NoImplementation(nameof(AddMeanToken), x.Device);
        }
    }

    /// <summary>dx[n, p] = dy[n, p + 1] + dy[n, 0] / pixels; dpositions[t] = sum over n of dy[n, t].</summary>
    /// <param name="dy">Gradient by the output, [samples, pixels + 1, width].</param>
    /// <param name="dx">Gradient by the pixels; may be no target.</param>
    /// <param name="dpositions">Gradient by the positions; may be no target.</param>
    /// <param name="samples">Images.</param>
    /// <param name="pixels">Pixels of an image, at least one.</param>
    /// <param name="width">Elements of a token.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx, GradientTarget dpositions, int samples, int pixels,
        int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pixels, 1);
        int row = checked((pixels + 1) * width);
        Check.Length(dy, (long)samples * row, nameof(dy));
        Check.OptionalLength(dx.Array, (long)samples * pixels * width, nameof(dx));
        if (!dpositions.IsNull)
            ColumnSum.Forward(dy, dpositions, samples, row, row);
        if (dx.IsNull)
            return;
        switch (dy.Device)
        {
            case CpuDevice host: BackwardCpu(host, dy, dx, samples, pixels, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, samples, pixels, width); break;
            default: throw Check.NoImplementation(nameof(AddMeanToken), dy.Device);
        }
    }
}
