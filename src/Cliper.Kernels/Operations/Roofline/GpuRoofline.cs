using System.Diagnostics;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The most that this card can do, measured: the floors that kernels are compared with. Best of several runs.
/// </summary>
public static partial class GpuRoofline
{
    private const int Rounds = 10, Threads = 256, BlocksAMultiprocessor = 2, Chains = 8;

    // Floating-point operations of a warp's m16n8k16, and of its fused multiply-add.
    private const double MmaFlops = 2.0 * 16 * 8 * 16, FmaFlops = 2.0 * 32;

    // The steps of a warpgroup, in each turn of the kernel for Hopper.
    private const int StepsATurn = Wgmma.BlockK / Wgmma.K;
    private const double WgmmaFlops = 2.0 * Wgmma.M * Wgmma.N * Wgmma.K;

    // A block of rows and four of columns.
    private const int WgmmaBytes = (Wgmma.M + Wgmma.N) / 64 * Wgmma.Block;

    // Milliseconds of work for a launch of microseconds.
    private const int UsualTurns = 1 << 14;

    // Twenty times the second-level cache of the cards at hand.
    private const long UsualCopy = 1L << 30;

    private static readonly KernelFamily Products =
        new(typeof(GpuRoofline), nameof(MmaKernel), "Peak Products", Threads, BlocksAMultiprocessor, 64)
        { Target = GpuTarget.MmaSync, Instructions = (Chains, 0, 0) };

    private static readonly GpuKernel MultiplyAdds =
        new(typeof(GpuRoofline), nameof(FmaKernel), "Peak MultiplyAdds", Threads, BlocksAMultiprocessor, 32);

    private static readonly KernelFamily WarpgroupProducts = new(typeof(GpuRoofline), nameof(WgmmaKernel),
        "Peak WarpgroupProducts", Threads, 1, 168, WgmmaBytes + Wgmma.Alignment)
    { Target = GpuTarget.Wgmma, Instructions = (StepsATurn, 0, 0) };

    internal static IEnumerable<GpuKernel> GpuKernels => [.. Products.ForEachDtype16,
        .. WarpgroupProducts.ForEachDtype16, MultiplyAdds];

    /// <summary>The instruction by which <see cref="MeasureGflops"/> measures a card.</summary>
    public static string Instruction(GpuDevice gpu) => gpu.HasWgmma ? "wgmma" : gpu.HasTensorCores ? "mma.sync" : "fma";

    /// <summary>
    /// Products of the 16-bit format with fp32 sums, on registers alone (mma.sync of m16n8k16), on a Hopper card from
    /// one place of shared memory (wgmma of m64n256k16); fp32 multiply-adds on a card without either; in GFLOP/s.
    /// </summary>
    /// <param name="gpu">The card.</param>
    /// <param name="turns">Instructions of each chain; the fewer, the more the launch weighs.</param>
    public static double MeasureGflops(GpuDevice gpu, int turns = UsualTurns)
    {
        (GpuKernel kernel, double flopsOfAWarp) = gpu.HasWgmma ? (WarpgroupProducts[gpu.Activations.Dtype()],
            StepsATurn * WgmmaFlops / 4)
            : gpu.HasTensorCores ? (Products[gpu.Activations.Dtype()], Chains * MmaFlops)
            : (MultiplyAdds, Chains * FmaFlops);
        int blocks = kernel.MinBlocks * gpu.Multiprocessors;
        DeviceArray result = gpu.Allocate((long)blocks * Threads);
        double seconds = Best(gpu, () => gpu.Run(kernel, new Blocks(blocks), result, turns));
        gpu.Free(result);
        double warps = (double)blocks * Threads / 32;
        return warps * turns * flopsOfAWarp / seconds / 1e9;
    }

    /// <summary>A copy from one place of the card's memory to another, bytes read and bytes written; in GB/s.</summary>
    /// <param name="gpu">The card.</param>
    /// <param name="bytes">Bytes of the copy.</param>
    public static double MeasureBandwidth(GpuDevice gpu, long bytes = UsualCopy)
    {
        DeviceArray source = gpu.Allocate(bytes, ElementType.UInt8), target = gpu.Allocate(bytes, ElementType.UInt8);
        gpu.Clear(source);
        double seconds = Best(gpu, () => gpu.Copy(source, target));
        gpu.Free(source);
        gpu.Free(target);
        return 2 * bytes / seconds / 1e9;
    }

    private static double Best(GpuDevice gpu, Action run)
    {
        double best = double.PositiveInfinity;
        for (int round = 0; round <= Rounds; round++)
        {
            gpu.Synchronize();
            long start = Stopwatch.GetTimestamp();
            run();
            gpu.Synchronize();
            if (round > 0)
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }
}
