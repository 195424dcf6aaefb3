using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Adds up what the slices of a product's depth left, in their order, so that the bits do not depend on which block came first.
/// </summary>
internal static class SliceSum
{
    private const int Threads = 256;

    private static readonly KernelFamily Family = new(typeof(SliceSum), nameof(Add), "SliceSum", Threads, 1, 48);

    /// <summary>One for each type of result.</summary>
    public static IEnumerable<GpuKernel> Kernels => Family.OfNumbers;

    /// <summary>y[i] = sum over s of parts[s * count + i].</summary>
    public static void Run(GpuDevice gpu, DeviceArray parts, DeviceArray y, int slices, long count, bool accumulate) =>
        gpu.Run(Family[y.Type.Numbers()], new Blocks(Blocks.Cover(count, Threads * Chunk.Size)), parts, y, slices, count,
            accumulate, Chunk.IsWide(count, count, parts, y));

    // A thread has eight elements.
    private static void Add<TY>(Floats parts, TY y, int slices, long count, int accumulate, int wide) where TY : struct, INumbers
    {
        long at = ((long)Grid.IdxX * Threads + Group.IdxX) * Chunk.Size;
        if (at >= count)
            return;
        int left = (int)Math.Min(count - at, Chunk.Size);
        F8 sum = default;
        if (accumulate != 0)
            sum = Chunk.Load(y, at, left, wide);
        for (int slice = 0; slice < slices; slice++)
            sum = Chunk.Add(sum, Chunk.Load(parts, slice * count + at, left, wide));
        Chunk.Store(y, at, sum, left, wide);
    }
}
