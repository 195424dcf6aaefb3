using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Adds up what the slices of a product's depth left, in their order, so that the bits do not depend on which block came first.
/// </summary>
internal static class SplitKReduction
{
    private const int Threads = 256;

    private static readonly KernelFamily Family = new(typeof(SplitKReduction), nameof(Add), "SplitKReduction", Threads, 1, 48);

    /// <summary>One for each type of result.</summary>
    public static IEnumerable<GpuKernel> Kernels => Family.ForEachFloating;

    /// <summary>y[i] = sum over s of parts[s * count + i].</summary>
    public static void Run(GpuDevice gpu, DeviceArray parts, DeviceArray y, int slices, long count, bool accumulate) =>
        gpu.Run(Family[y.Type.PointerType()], new Blocks(Blocks.Cover(count, Threads * Vec8.Size)), parts, y, slices, count,
            accumulate, Vec8.IsVectorizable(count, count, parts, y));

    // A thread has eight elements.
    private static void Add<TY>(GlobalPtrFp32 parts, TY y, int slices, long count, int accumulate, int vectorized) where TY : struct, IGlobalPtr
    {
        long at = ((long)Grid.IdxX * Threads + Group.IdxX) * Vec8.Size;
        if (at >= count)
            return;
        int left = (int)Math.Min(count - at, Vec8.Size);
        Vec8 sum = default;
        if (accumulate != 0)
            sum = Vec8.Load(y, at, left, vectorized);
        for (int slice = 0; slice < slices; slice++)
            sum = Vec8.Add(sum, Vec8.Load(parts, slice * count + at, left, vectorized));
        Vec8.Store(y, at, sum, left, vectorized);
    }
}
