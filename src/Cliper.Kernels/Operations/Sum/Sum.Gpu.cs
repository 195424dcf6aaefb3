using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Sum
{
    // Elements of a block; what the blocks leave is added by one more, in their order.
    internal const int GpuThreads = 256;
    private const int PerBlock = 16384;

    private static readonly GpuKernel OfProducts =
        new(((Action<Floats, Floats, Floats, long, int, int>)SumBlock).Method, "Sum", GpuThreads, 1, 48);

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
    private static bool IsWide(DeviceArray a, DeviceArray b) => Chunk.IsWide(PerBlock, PerBlock, a, b);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate) =>
        ElementLoop.Run<ElementLoop.Second>(gpu, dx, dy, dx, accumulate: accumulate);

    // y[block] = sum over the block's elements of a, or of a b.
    private static void SumBlock(Floats a, Floats b, Floats y, long length, int accumulate, int wide)
    {
        long start = (long)Grid.IdxX * PerBlock, end = start + PerBlock;
        if (end > length)
            end = length;
        float sum = 0;
        for (long at = start + Group.IdxX * Chunk.Size; at < end; at += GpuThreads * Chunk.Size)
        {
            int count = (int)(end - at), whole = count < Chunk.Size ? 0 : wide;
            F8 value = Chunk.Load(a, at, count, whole);
            if (!b.IsNull)
                value = Chunk.Multiply(value, Chunk.Load(b, at, count, whole));
            sum += Chunk.Sum(value);
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
        value = Gpu.WarpSum(value);
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
