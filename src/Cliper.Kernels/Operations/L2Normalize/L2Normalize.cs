using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Rows of length one: y = x / |x|. Backward: dx = (dy - y (y . dy)) / |x|.
/// </summary>
/// <remarks>
/// A row of zeros (or so small that its squares underflow) stays zero and passes no gradient. A NaN or infinity makes
/// its own row NaN and no other.
/// </remarks>
public static partial class L2Normalize
{
    /// <summary>y = x / |x|.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="y">[rows, width]; may be <paramref name="x"/>.</param>
    /// <param name="inverse">1 / |x| of every row (0 for a row of zeros) for the backward pass, [rows]; may be
    /// null.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Forward(DeviceArray x, DeviceArray y, DeviceArray inverse, int rows, int width)
    {
        Check.Length(x, (long)rows * width, nameof(x));
        Check.Length(y, (long)rows * width, nameof(y));
        Check.OptionalLength(inverse, rows, nameof(inverse));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, y, inverse, rows, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, inverse, rows, width); break;
            default: throw Check.NoImplementation(nameof(L2Normalize), x.Device);
        }
    }

    /// <summary>dx = (dy - y (y . dy)) / |x|.</summary>
    /// <param name="y">Output of the forward pass, [rows, width].</param>
    /// <param name="inverse">The values that the forward pass left, [rows].</param>
    /// <param name="dy">Gradient by the output, [rows, width].</param>
    /// <param name="dx">Gradient by the input; may be <paramref name="dy"/> when not accumulated.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Backward(DeviceArray y, DeviceArray inverse, DeviceArray dy, GradientTarget dx, int rows,
        int width)
    {
        Check.Length(y, (long)rows * width, nameof(y));
        Check.Length(inverse, rows, nameof(inverse));
        Check.Length(dy, (long)rows * width, nameof(dy));
        Check.Length(dx.Array, (long)rows * width, nameof(dx));
        switch (y.Device)
        {
            case CpuDevice host: BackwardHost(host, y, inverse, dy, dx, rows, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, y, inverse, dy, dx, rows, width); break;
            default: throw Check.NoImplementation(nameof(L2Normalize), y.Device);
        }
    }
}
