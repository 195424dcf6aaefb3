using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// A convolution of each channel with its own kernel, in NHWC: y[n, i, j, c] = sum over k, l of weight[k, l, c]
/// x[n, i s - p + k, j t - q + l, c], zeros in the padding. Backward: dx and dweight are the same sum read the other
/// way.
/// </summary>
/// <remarks>
/// Taps are added in the order (row, column), those of the padding left out. An element that is NaN or infinite reaches
/// the outputs of its channel whose windows see it and no other.
/// </remarks>
public static partial class DepthwiseConvolution
{
    /// <summary>y = weight * x.</summary>
    /// <param name="x">[images, height, width, channels].</param>
    /// <param name="weight">[kernel rows, kernel columns, channels].</param>
    /// <param name="y">[images, output rows, output columns, channels]; must not overlap <paramref name="x"/>.</param>
    /// <param name="window">Sizes of the input, and the window.</param>
    public static void Forward(DeviceArray x, DeviceArray weight, DeviceArray y, SlidingWindow window)
    {
        CheckLengths(window, x, weight, y);
        switch (x.Device)
        {
            case CpuDevice host: ForwardCpu(host, x, weight, y, window); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, weight, y, window); break;
            default: throw Check.NoImplementation(nameof(DepthwiseConvolution), x.Device);
        }
    }

    /// <summary>
    /// dx[n, h, w, c] = the sum of weight[k, l, c] dy[n, i, j, c] over the windows that see the input.
    /// </summary>
    /// <param name="weight">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dx">Gradient by the input.</param>
    /// <param name="window">The same as in the forward pass.</param>
    public static void BackwardInput(DeviceArray weight, DeviceArray dy, GradientTarget dx, SlidingWindow window)
    {
        CheckLengths(window, dx.Array, weight, dy);
        switch (dy.Device)
        {
            case CpuDevice host: BackwardInputCpu(host, weight, dy, dx, window); break;
            case GpuDevice gpu: BackwardInputGpu(gpu, weight, dy, dx, window); break;
            default: throw Check.NoImplementation(nameof(DepthwiseConvolution), dy.Device);
        }
    }

    /// <summary>
    /// dweight[k, l, c] = the sum over all outputs of dy[n, i, j, c] times the input under tap (k, l).
    /// </summary>
    /// <param name="x">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dweight">Gradient by the weight.</param>
    /// <param name="window">The same as in the forward pass.</param>
    public static void BackwardWeight(DeviceArray x, DeviceArray dy, GradientTarget dweight, SlidingWindow window)
    {
        CheckLengths(window, x, dweight.Array, dy);
        switch (x.Device)
        {
            case CpuDevice host: BackwardWeightCpu(host, x, dy, dweight, window); break;
            case GpuDevice gpu: BackwardWeightGpu(gpu, x, dy, dweight, window); break;
            default: throw Check.NoImplementation(nameof(DepthwiseConvolution), x.Device);
        }
    }

    private static void CheckLengths(SlidingWindow window, DeviceArray x, DeviceArray weight, DeviceArray y)
    {
        window.Check();
        Check.Length(x, window.Input.Count, nameof(x));
        Check.Length(weight, window.Elements, nameof(weight));
        Check.Length(y, window.Output(window.Input.Channels).Count, nameof(y));
    }
}
