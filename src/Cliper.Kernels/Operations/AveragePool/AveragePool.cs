using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The mean of every size x size pixels, channel by channel, in NHWC; last rows and columns that fill no window are
/// left out. Backward: each of a window's pixels gets its gradient divided by size².
/// </summary>
/// <remarks>A NaN or infinity reaches the output of its own window and no other.</remarks>
public static partial class AveragePool
{
    /// <summary>The size of the result.</summary>
    public static FeatureMap Output(FeatureMap input, int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        return input with { Height = input.Height / size, Width = input.Width / size };
    }

    /// <summary>y[n, i, j, c] = the mean over k, l in [0, size) of x[n, size i + k, size j + l, c].</summary>
    /// <param name="x">[images, height, width, channels].</param>
    /// <param name="y">[images, height / size, width / size, channels]; must not overlap <paramref name="x"/>.</param>
    /// <param name="input">Sizes of <paramref name="x"/>.</param>
    /// <param name="size">Rows and columns of the window, and its stride.</param>
    public static void Forward(DeviceArray x, DeviceArray y, FeatureMap input, int size)
    {
        CheckLengths(input, size, x, y);
        switch (x.Device)
        {
            case CpuDevice host: ForwardCpu(host, x, y, input, size); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, input, size); break;
            default: throw Check.NoImplementation(nameof(AveragePool), x.Device);
        }
    }

    /// <summary>dx = dy / size² of the window that sees the pixel, 0 where none does.</summary>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dx">Gradient by the input.</param>
    /// <param name="input">The same as in the forward pass.</param>
    /// <param name="size">The same as in the forward pass.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx, FeatureMap input, int size)
    {
        CheckLengths(input, size, dx.Array, dy);
        switch (dy.Device)
        {
            case CpuDevice host: BackwardCpu(host, dy, dx, input, size); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx, input, size); break;
            default: throw Check.NoImplementation(nameof(AveragePool), dy.Device);
        }
    }

    private static void CheckLengths(FeatureMap input, int size, DeviceArray x, DeviceArray y)
    {
        input.Check("the input");
        FeatureMap output = Output(input, size);
        if (output.Height < 1 || output.Width < 1)
            throw new ArgumentException($"the input is {input}; expected at least {size} rows and columns",
                nameof(input));
        Check.Length(x, input.Count, nameof(x));
        Check.Length(y, output.Count, nameof(y));
    }
}
