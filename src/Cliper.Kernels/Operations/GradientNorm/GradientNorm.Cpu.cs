using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class GradientNorm
{
    // Each gradient's sum is rounded to fp32, as a sum of products is, and they are added in their order: the bits do
    // not depend on the threads.
    private static void MeasureHost(CpuDevice host, ReadOnlySpan<DeviceArray> gradients, double maximum, double scale,
        DeviceArray result)
    {
        DeviceArray squares = host.Allocate(1);
        double sum = 0;
        foreach (DeviceArray gradient in gradients)
        {
            Sum.Products(gradient, gradient, squares);
            sum += *squares.Floats;
        }
        host.Free(squares);
        double norm = Math.Sqrt(sum) / scale;
        result.Floats[0] = (float)norm;
        result.Floats[1] = double.IsFinite(norm) ? (float)((norm > maximum ? maximum / norm : 1) / scale) : 0;
    }
}
