using System.Diagnostics;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// What this card can do at most, measured: the floors that kernels are compared with. Best of several runs.
/// </summary>
public static class GpuRoofline
{
    private const int Rounds = 10, Threads = 256, BlocksAMultiprocessor = 2, Chains = 8;

    // Floating-point operations of a warp's m16n8k16, and of its fused multiply-add.
    private const double MmaFlops = 2.0 * 16 * 8 * 16, FmaFlops = 2.0 * 32;

    // Of a warpgroup, in each turn of the kernel for Hopper.
    private const int StepsATurn = Wgmma.BlockK / Wgmma.K;
    private const double WgmmaFlops = 2.0 * Wgmma.M * Wgmma.N * Wgmma.K;

    // A block of rows and four of columns.
    private const int WgmmaBytes = (Wgmma.M + Wgmma.N) / 64 * Wgmma.Block;

    // Milliseconds of work for a launch of microseconds.
    private const int UsualTurns = 1 << 14;

    // Twenty times the second-level cache of the cards at hand.
    private const long UsualCopy = 1L << 30;

    private static readonly KernelFamily Products =
        new(typeof(GpuRoofline), nameof(ProductsRun), "Peak Products", Threads, BlocksAMultiprocessor, 64, target: GpuTarget.MmaSync)
        { Instructions = (Chains, 0, 0) };

    private static readonly GpuKernel MultiplyAdds =
        new(((Action<GlobalPtrFp32, int>)MultiplyAddsRun).Method, "Peak MultiplyAdds", Threads, BlocksAMultiprocessor, 32);

    private static readonly KernelFamily WarpgroupProducts = new(typeof(GpuRoofline), nameof(WarpgroupProductsRun), "Peak WarpgroupProducts",
        Threads, 1, 168, WgmmaBytes + Wgmma.Alignment, GpuTarget.Wgmma)
    { Instructions = (StepsATurn, 0, 0) };

    internal static IEnumerable<GpuKernel> Kernels => [.. Products.ForEachDtype16, .. WarpgroupProducts.ForEachDtype16, MultiplyAdds];

    /// <summary>The instruction by which <see cref="MeasureGflops"/> measures a card.</summary>
    public static string Instruction(GpuDevice gpu) => gpu.HasWgmma ? "wgmma" : gpu.HasTensorCores ? "mma.sync" : "fma";

    /// <summary>
    /// Products of the 16-bit format with fp32 sums, on registers alone (mma.sync of m16n8k16), on a Hopper card from one place of
    /// shared memory (wgmma of m64n256k16); fp32 multiply-adds on a card without either; in GFLOP/s.
    /// </summary>
    /// <param name="gpu">The card.</param>
    /// <param name="turns">Instructions of each chain; the fewer, the more the launch weighs.</param>
    public static double MeasureGflops(GpuDevice gpu, int turns = UsualTurns)
    {
        (GpuKernel kernel, double flopsOfAWarp) = gpu.HasWgmma ? (WarpgroupProducts[gpu.Activations.Dtype()], StepsATurn * WgmmaFlops / 4)
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
    /// <param name="bytes">Of the copy.</param>
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

    // Operands differ from lane to lane and in sign: power, and with it the clock, depends on the bits that change.
    private static void ProductsRun<TDtype>(GlobalPtrFp32 result, int turns) where TDtype : struct, IDtype16
    {
        float x = 0.5f + Group.IdxX * (1f / Threads);
        U4 a;
        (a.X, a.Y, a.Z, a.W) = (TDtype.Pack(x, -x), TDtype.Pack(0.7f * x, x), TDtype.Pack(-x, 0.3f * x), TDtype.Pack(x, 0.9f * x));
        uint b0 = TDtype.Pack(0.6f * x, x), b1 = TDtype.Pack(x, -0.8f * x);
        F4 c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        for (int turn = 0; turn < turns; turn++)
        {
            c0 = TDtype.Mma(c0, a, b0, b1);
            c1 = TDtype.Mma(c1, a, b0, b1);
            c2 = TDtype.Mma(c2, a, b0, b1);
            c3 = TDtype.Mma(c3, a, b0, b1);
            c4 = TDtype.Mma(c4, a, b0, b1);
            c5 = TDtype.Mma(c5, a, b0, b1);
            c6 = TDtype.Mma(c6, a, b0, b1);
            c7 = TDtype.Mma(c7, a, b0, b1);
        }
        // Read, so that no chain is left out.
        result.Store((long)Grid.IdxX * Threads + Group.IdxX,
            c0.X + c1.X + c2.X + c3.X + (c4.X + c5.X + c6.X + c7.X) + (c0.Y + c1.Z + c2.W));
    }

    private struct WgmmaStep<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public long Left, Right;

        public void Run(int index)
        {
            int along = index * Wgmma.NextK(true);
            TDtype.WarpgroupMma(Left + along, Right + along, 1, 0, 0);
        }
    }

    private static void WarpgroupProductsRun<TDtype>(GlobalPtrFp32 result, int turns) where TDtype : struct, IDtype16
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart();
        float x = 0.5f + Group.IdxX * (1f / Threads);
        U4 numbers;
        (numbers.X, numbers.Y) = (TDtype.Pack(x, -x), TDtype.Pack(0.7f * x, x));
        (numbers.Z, numbers.W) = (TDtype.Pack(-x, 0.3f * x), TDtype.Pack(x, 0.9f * x));
        for (int at = Group.IdxX * 16; at < WgmmaBytes; at += Threads * 16)
            Ptx.StoreShared(shared + at, numbers);
        Wgmma.PublishShared();
        Group.Barrier();
        Wgmma.Clear();
        WgmmaStep<TDtype> step;
        (step.Left, step.Right) = (Wgmma.Descriptor(shared), Wgmma.Descriptor(shared + Wgmma.Block));
        for (int turn = 0; turn < turns; turn++)
        {
            Wgmma.Fence();
            Unroll4.For(ref step);
            Wgmma.Commit();
            Wgmma.AwaitAllButOne();
        }
        Wgmma.AwaitAll();
        result.Store((long)Grid.IdxX * Threads + Group.IdxX, Wgmma.Read(0) + Wgmma.Read(127));
    }

    private static void MultiplyAddsRun(GlobalPtrFp32 result, int turns)
    {
        float x = 0.5f + Group.IdxX * (0.5f / Threads), y = 1 - x;
        float c0 = x, c1 = y, c2 = x + 1, c3 = y + 1, c4 = x + 2, c5 = y + 2, c6 = x + 3, c7 = y + 3;
        for (int turn = 0; turn < turns; turn++)
        {
            c0 = Ptx.Fma(c0, x, y);
            c1 = Ptx.Fma(c1, x, y);
            c2 = Ptx.Fma(c2, x, y);
            c3 = Ptx.Fma(c3, x, y);
            c4 = Ptx.Fma(c4, x, y);
            c5 = Ptx.Fma(c5, x, y);
            c6 = Ptx.Fma(c6, x, y);
            c7 = Ptx.Fma(c7, x, y);
        }
        result.Store((long)Grid.IdxX * Threads + Group.IdxX, c0 + c1 + c2 + c3 + (c4 + c5 + c6 + c7));
    }
}
