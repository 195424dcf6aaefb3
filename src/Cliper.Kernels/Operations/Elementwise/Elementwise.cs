using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>Applies a function to every element: y = f(x), with dx = dy f'(x).</summary>
/// <remarks>A NaN gives NaN at its own place and no other.</remarks>
public static partial class Elementwise
{
    /// <summary>y = f(x).</summary>
    /// <param name="x">Input, any length.</param>
    /// <param name="y">Output, of the same length; may be <paramref name="x"/>.</param>
    public static void Forward<TOp>(DeviceArray x, DeviceArray y) where TOp : struct, IUnaryOperation
    {
        Check.Length(x, x.Length, nameof(x));
        Check.Length(y, x.Length, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost<TOp>(host, x, y); break;
            case GpuDevice gpu: ElementwiseKernels.Run<ElementwiseKernels.Forward<TOp>>(gpu, x, default, y); break;
            default: throw Check.NoImplementation(nameof(Elementwise), x.Device);
        }
    }

    /// <summary>dx = dy f'(x).</summary>
    /// <param name="x">Input of the forward pass.</param>
    /// <param name="dy">Gradient by the output, of the same length.</param>
    /// <param name="dx">Gradient by the input; may be <paramref name="dy"/> when not accumulated.</param>
    public static void Backward<TOp>(DeviceArray x, DeviceArray dy, GradientTarget dx)
        where TOp : struct, IUnaryOperation
    {
        Check.Length(x, x.Length, nameof(x));
        Check.Length(dy, x.Length, nameof(dy));
        Check.Length(dx.Array, x.Length, nameof(dx));
        switch (x.Device)
        {
            case CpuDevice host: BackwardHost<TOp>(host, x, dy, dx); break;
            case GpuDevice gpu:
                ElementwiseKernels.Run<ElementwiseKernels.Backward<TOp>>(gpu, x, dy, dx.Array,
                    accumulate: dx.Accumulate);
                break;
            default: throw Check.NoImplementation(nameof(Elementwise), x.Device);
        }
    }
}
