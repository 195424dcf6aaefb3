using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Sum
{
    // Elements of a block; what the blocks leave is added by one more, in their order.
    internal const int GpuThreads = 256;
    private const int PerBlock = 16384;

    private static readonly GpuKernel OfProducts =
        new(((Action<GlobalPtrFp32, GlobalPtrFp32, GlobalPtrFp32, long, int, int>)SumBlock).Method, "Sum", GpuThreads, 1, 48);

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

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate) =>
        ElementwiseKernels.Run<ElementwiseKernels.Second>(gpu, dx, dy, dx, accumulate: accumulate);

    // y[block] = sum over the block's elements of a, or of a b.
    private static void SumBlock(GlobalPtrFp32 a, GlobalPtrFp32 b, GlobalPtrFp32 y, long length, int accumulate, int vectorized)
    {
        long start = (long)Grid.IdxX * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;
        float sum = 0;
        for (long at = start + Group.IdxX * Vec8.Size; at < end; at += GpuThreads * Vec8.Size)
        {
            int count = (int)(end - at), whole = count < Vec8.Size ? 0 : vectorized;
            Vec8 value = Vec8.Load(a, at, count, whole);
            if (!b.IsNull)
                value = Vec8.Multiply(value, Vec8.Load(b, at, count, whole));
            sum += Vec8.Sum(value);
        }
        sum = OfBlock(sum, accumulate != 0 && Group.IdxX == 0 ? y.Load(Grid.IdxX) : 0f);
        if (Group.IdxX == 0)
            y.Store(Grid.IdxX, sum);
    }

    /// <summary>start + the values of all threads of a block of <see cref="GpuThreads"/>, in its first thread; once in a kernel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float OfBlock(float value, float start)
    {
        ArrayView<float> shared = SharedMemory.Allocate<float>(GpuThreads / 32);
        value = Ptx.WarpSum(value);
        if ((Group.IdxX & 31) == 0)
            shared[Group.IdxX >> 5] = value;
        Group.Barrier();
        float sum = start;
        if (Group.IdxX == 0)
            for (int warp = 0; warp < GpuThreads / 32; warp++)
                sum += shared[warp];
        return sum;
    }
}
