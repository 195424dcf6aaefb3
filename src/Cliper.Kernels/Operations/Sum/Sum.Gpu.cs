using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Sum
{
    // Elements of a block; what the blocks leave is added by one more, in their order.
    internal const int GpuThreads = 256;
    private const int PerBlock = 16384;

    private static readonly GpuKernel OfProducts =
        new(typeof(Sum), nameof(SumKernel), "Sum", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [OfProducts];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, bool accumulate) =>
        ProductsGpu(gpu, x, default, y, accumulate);

    private static void ProductsGpu(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate)
    {
        DeviceArray source = a, second = b, toFree = default;
        while (source.Length > PerBlock)
        {
            DeviceArray parts = gpu.Allocate(Blocks.Cover(source.Length, PerBlock));
            gpu.Run(OfProducts, new Blocks((int)parts.Length), source, second, parts, source.Length, false,
                IsWide(source, second));
            gpu.Free(toFree);
            (source, second, toFree) = (parts, default, parts);
        }
        gpu.Run(OfProducts, new Blocks(1), source, second, y, source.Length, accumulate, IsWide(source, second));
        gpu.Free(toFree);
    }

    // Blocks begin at multiples of 64 KB.
    private static bool IsWide(DeviceArray a, DeviceArray b) => Vec8.IsVectorizable(PerBlock, PerBlock, a, b);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, GradientTarget dx) =>
        ElementwiseKernels.Run<ElementwiseKernels.Second>(gpu, dx.Array, dy, dx.Array,
            accumulate: dx.Accumulate);
}
