using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class GpuRoofline
{
    /// <summary>Eight independent chains of mma.sync m16n8k16 a warp, on registers alone.</summary>
    /// <remarks>
    /// A block has 256 threads; two blocks a multiprocessor. Operands differ from lane to lane and in sign: power, and
    /// with it the clock, depends on the bits that change. From compute capability 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void MmaKernel<TDtype>(GlobalPtrFp32 result, int turns) where TDtype : struct, IDtype16
    {
        float x = 0.5f + Group.IdxX * (1f / Threads);
        var a = new U4
        {
            X = TDtype.Pack(x, -x),
            Y = TDtype.Pack(0.7f * x, x),
            Z = TDtype.Pack(-x, 0.3f * x),
            W = TDtype.Pack(x, 0.9f * x),
        };
        uint b0 = TDtype.Pack(0.6f * x, x), b1 = TDtype.Pack(x, -0.8f * x);
        F4 c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default,
            c7 = default;
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
        // The result reads every chain, so that the compiler leaves none out.
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

    /// <summary>wgmma m64n256k16 by two warpgroups, from one place of shared memory.</summary>
    /// <remarks>
    /// A block has 256 threads, one a multiprocessor. Shared memory: [A block of 64 x 64 | four B blocks of 64 x 64], 8
    /// KiB each. Compute capability 9.0 alone.
    /// </remarks>
    [DeviceCode]
    private static void WgmmaKernel<TDtype>(GlobalPtrFp32 result, int turns) where TDtype : struct, IDtype16
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart();
        float x = 0.5f + Group.IdxX * (1f / Threads);
        var numbers = new U4
        {
            X = TDtype.Pack(x, -x),
            Y = TDtype.Pack(0.7f * x, x),
            Z = TDtype.Pack(-x, 0.3f * x),
            W = TDtype.Pack(x, 0.9f * x),
        };

        // (1) Fill shared memory.
        for (int at = Group.IdxX * 16; at < WgmmaBytes; at += Threads * 16)
            Ptx.StoreShared(shared + at, numbers);
        Wgmma.PublishShared();
        Group.Barrier();

        // (2) Multiply the same blocks again and again.
        Wgmma.Clear();
        var step = new WgmmaStep<TDtype>
        {
            Left = Wgmma.Descriptor(shared),
            Right = Wgmma.Descriptor(shared
            + Wgmma.Block)
        };
        for (int turn = 0; turn < turns; turn++)
        {
            Wgmma.Fence();
            Unroll4.For(ref step);
            Wgmma.Commit();
            Wgmma.AwaitAllButOne();
        }
        Wgmma.AwaitAll();

        // (3) Read two accumulators, so that the products have a use.
        result.Store((long)Grid.IdxX * Threads + Group.IdxX, Wgmma.Read(0) + Wgmma.Read(127));
    }

    /// <summary>Eight independent chains of fp32 multiply-adds a thread, on registers alone.</summary>
    /// <remarks>
    /// A block has 256 threads; two blocks a multiprocessor. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void FmaKernel(GlobalPtrFp32 result, int turns)
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
