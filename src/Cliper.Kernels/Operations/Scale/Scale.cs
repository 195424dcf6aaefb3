using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Product with a constant: y = factor x. Its backward is itself: dx = factor dy. A NaN stays in its place, under a
/// factor of zero too, which makes one of an infinity.
/// </summary>
public static partial class Scale
{
    /// <summary>y = factor x, or y += factor x.</summary>
    /// <param name="x">Any length.</param>
    /// <param name="factor">The constant.</param>
    /// <param name="y">The same length; may be <paramref name="x"/>.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>, rounded once where the hardware can.</param>
    public static void Forward(DeviceArray x, float factor, DeviceArray y, bool accumulate = false)
    {
        Check.Length(x, x.Length, nameof(x));
        Check.Length(y, x.Length, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, factor, y, accumulate); break;
            case GpuDevice gpu:
                ElementwiseKernels.Run<ElementwiseKernels.Scaled>(gpu, x, default, y, factor,
                accumulate); break;
            default: throw Check.NoImplementation(nameof(Scale), x.Device);
        }
    }

    /// <summary>dx = factor dy.</summary>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="factor">The constant.</param>
    /// <param name="dx">Gradient by the input, of the same length.</param>
    public static void Backward(DeviceArray dy, float factor, GradientTarget dx) =>
        Forward(dy, factor, dx.Array, dx.Accumulate);
}
