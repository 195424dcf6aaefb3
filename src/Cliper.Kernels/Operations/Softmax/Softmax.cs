using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Softmax over rows: y_i = e^(x_i - max x) / sum_j e^(x_j - max x). Backward: dx = y (dy - sum_j dy_j y_j).
/// </summary>
/// <remarks>
/// The maximum is subtracted first, so that no finite row overflows. An element of minus infinity becomes zero. A NaN,
/// a plus infinity, or a row of minus infinities alone makes its own row NaN and no other.
/// </remarks>
public static partial class Softmax
{
    /// <summary>y = softmax(x), row by row.</summary>
    /// <param name="x">[rows, width].</param>
    /// <param name="y">[rows, width], on a GPU of the type of <paramref name="x"/>; may be
    /// <paramref name="x"/>.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Forward(DeviceArray x, DeviceArray y, int rows, int width)
    {
        Check.Length(x, (long)rows * width, nameof(x));
        Check.Length(y, (long)rows * width, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, y, rows, width); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, rows, width); break;
            default: throw Check.NoImplementation(nameof(Softmax), x.Device);
        }
    }

    /// <summary>dx = y (dy - sum_j dy_j y_j), row by row.</summary>
    /// <param name="y">Output of the forward pass, [rows, width].</param>
    /// <param name="dy">Gradient by the output, [rows, width].</param>
    /// <param name="dx">Gradient by the input; may be <paramref name="dy"/> when not accumulated.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Backward(DeviceArray y, DeviceArray dy, GradientTarget dx, int rows, int width)
    {
        Check.Length(y, (long)rows * width, nameof(y));
        Check.Length(dy, (long)rows * width, nameof(dy));
        Check.Length(dx.Array, (long)rows * width, nameof(dx));
        switch (y.Device)
        {
            case CpuDevice host: BackwardHost(host, y, dy, dx, rows, width); break;
            case GpuDevice gpu: BackwardGpu(gpu, y, dy, dx, rows, width); break;
            default: throw Check.NoImplementation(nameof(Softmax), y.Device);
        }
    }
}
