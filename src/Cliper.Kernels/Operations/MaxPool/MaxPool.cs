using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The largest of every 2 x 2 pixels, channel by channel, in NHWC; a last odd row or column is left out. Backward: the
/// first of the four that is the largest, in the order of rows, gets the gradient, the others get zero.
/// </summary>
/// <remarks>Where one of the four is NaN the result is NaN, and the first of the four gets the gradient.</remarks>
public static partial class MaxPool
{
    /// <summary>Rows and columns of the window, and its stride.</summary>
    public const int Size = 2;

    /// <summary>The size of the result.</summary>
    public static FeatureMap Output(FeatureMap input) =>
        input with { Height = input.Height / Size, Width = input.Width / Size };

    /// <summary>y[n, i, j, c] = max over k, l in {0, 1} of x[n, 2 i + k, 2 j + l, c].</summary>
    /// <param name="x">[images, height, width, channels].</param>
    /// <param name="y">[images, height / 2, width / 2, channels]; must not overlap <paramref name="x"/>.</param>
    /// <param name="input">Sizes of <paramref name="x"/>.</param>
    public static void Forward(DeviceArray x, DeviceArray y, FeatureMap input)
    {
        CheckLengths(input, x, y);
        switch (x.Device)
        {
            case CpuDevice host: ForwardCpu(host, x, y, input); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, input); break;
            default: throw Check.NoImplementation(nameof(MaxPool), x.Device);
        }
    }

    /// <summary>dx = dy where x is the largest of its four, else 0.</summary>
    /// <param name="x">The same as in the forward pass.</param>
    /// <param name="y">The result that the forward pass left.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dx">Gradient by the input.</param>
    /// <param name="input">Sizes of <paramref name="x"/>.</param>
    public static void Backward(DeviceArray x, DeviceArray y, DeviceArray dy, GradientTarget dx, FeatureMap input)
    {
        CheckLengths(input, x, y);
        CheckLengths(input, dx.Array, dy);
        switch (x.Device)
        {
            case CpuDevice host: BackwardCpu(host, x, y, dy, dx, input); break;
            case GpuDevice gpu: BackwardGpu(gpu, x, y, dy, dx, input); break;
            default: throw Check.NoImplementation(nameof(MaxPool), x.Device);
        }
    }

    private static void CheckLengths(FeatureMap input, DeviceArray x, DeviceArray y)
    {
        input.Check("the input");
        if (input.Height < Size || input.Width < Size)
            throw new ArgumentException($"the input is {input}; expected at least {Size} rows and columns",
                nameof(input));
        Check.Length(x, input.Count, nameof(x));
        Check.Length(y, Output(input).Count, nameof(y));
    }
}
