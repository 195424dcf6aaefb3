using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Mean over the middle axis, a video's feature from its frames': y[n] = (1 / T) sum over t of x[n, t]. Backward:
/// dx[n, t] = dy[n] / T. A NaN, or infinities of both signs, make that element of its sample's mean NaN and no other.
/// </summary>
public static partial class Mean
{
    /// <summary>y[n] = (1 / frames) sum over t of x[n, t].</summary>
    /// <param name="x">[samples, frames, width].</param>
    /// <param name="y">[samples, width].</param>
    /// <param name="samples">Clips.</param>
    /// <param name="frames">Frames of a clip, at least one.</param>
    /// <param name="width">Elements of a frame's feature.</param>
    public static void Forward(DeviceArray x, DeviceArray y, int samples, int frames, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        Check.Length(x, (long)samples * frames * width, nameof(x));
        Check.Length(y, (long)samples * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, y, samples, frames, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, samples, frames, width); break;
            default: throw Check.NoImplementation(nameof(Mean), x.Device);
        }
    }

    /// <summary>dx[n, t] = dy[n] / frames.</summary>
    /// <param name="dy">Gradient by the output, [samples, width].</param>
    /// <param name="dx">Gradient by the input, [samples, frames, width].</param>
    /// <param name="samples">Clips.</param>
    /// <param name="frames">Frames of a clip.</param>
    /// <param name="width">Elements of a frame's feature.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx, int samples, int frames, int width)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        Check.Length(dy, (long)samples * width, nameof(dy));
        Check.Length(dx.Array, (long)samples * frames * width, nameof(dx));
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, dx, samples, frames, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, samples, frames, width); break;
            default: throw Check.NoImplementation(nameof(Mean), dy.Device);
        }
    }
}
