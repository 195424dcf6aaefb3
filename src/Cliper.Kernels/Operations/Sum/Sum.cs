using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Sums over a whole array. Runs of 1024 elements are summed in fp32, fixed slices of runs and then the slices in order
/// and in double, so that the number of threads does not change a bit. Backward of a sum: every element gets the sum's
/// gradient.
/// </summary>
public static partial class Sum
{
    /// <summary>y = sum of x.</summary>
    /// <param name="x">Any length; none gives 0.</param>
    /// <param name="y">One element.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Forward(DeviceArray x, DeviceArray y, bool accumulate = false)
    {
        Check.Length(x, x.Length, nameof(x));
        Check.Length(y, 1, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, y, accumulate); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, y, accumulate); break;
            default: throw Check.NoImplementation(nameof(Sum), x.Device);
        }
    }

    /// <summary>dx[i] = dy.</summary>
    /// <param name="dy">Gradient by the sum, one element.</param>
    /// <param name="dx">Gradient by the input, any length.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx)
    {
        Check.Length(dy, 1, nameof(dy));
        Check.Length(dx.Array, dx.Array.Length, nameof(dx));
        switch (dy.Device)
        {
            case CpuDevice host: BackwardHost(host, dy, dx); break;
            case GpuDevice gpu: BackwardGpu(gpu, dy, dx); break;
            default: throw Check.NoImplementation(nameof(Sum), dy.Device);
        }
    }

    /// <summary>y = sum over i of a[i] b[i]; of squares when both are one array.</summary>
    /// <param name="a">Any length.</param>
    /// <param name="b">The same length.</param>
    /// <param name="y">One element.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Products(DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate = false)
    {
        Check.Length(a, a.Length, nameof(a));
        Check.Length(b, a.Length, nameof(b));
        Check.Length(y, 1, nameof(y));
        switch (a.Device)
        {
            case CpuDevice host: ProductsHost(host, a, b, y, accumulate); break;
            case GpuDevice gpu: ProductsGpu(gpu, a, b, y, accumulate); break;
            default: throw Check.NoImplementation(nameof(Sum), a.Device);
        }
    }
}
