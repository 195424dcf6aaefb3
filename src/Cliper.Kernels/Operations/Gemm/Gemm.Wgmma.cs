using System.Reflection;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product of a 16-bit format on Hopper's tensor cores, fp32 sums: what <see cref="MmaSyncGemm"/> does, with
/// products of whole warpgroups that read shared memory themselves. Two of them compute a tile of 128 x 256, 64 rows each.
/// Of four stages of shared memory one is multiplied, the one before it may still be, and two are on their way. A multiprocessor has
/// room for one block, which therefore goes on from tile to tile: while it stores one, the next one's stages are already on their way.
/// </summary>
internal static class WgmmaGemm
{
    /// <summary>Rows of the result that a block computes.</summary>
    public const int TileM = Warpgroups * Wgmma.Rows;

    /// <summary>Columns of the result that a block computes.</summary>
    public const int TileN = Wgmma.Columns;

    /// <summary>Depth of a stage.</summary>
    public const int TileK = Wgmma.BlockDepth;

    private const int Warpgroups = 2, Threads = Warpgroups * 128, Buffers = 4, Ahead = 2;
    private const int LeftBytes = TileM * TileK * 2, BufferBytes = LeftBytes + TileN * TileK * 2, Registers = 248;

    private static readonly Dictionary<(Type, Type, Type, ElementType, ElementType), GpuKernel> Found = [];

    /// <summary>The kernel of layouts (see <see cref="MmaSyncGemm.IOperandLayout"/>), epilogue and types of operands and result.</summary>
    public static GpuKernel Find(Type left, Type right, Type epilogue, ElementType operands, ElementType result)
    {
        Type[] types = [left, right, epilogue, operands.Dtype(), result.PointerType()];
        lock (Found)
        {
            var key = (left, right, epilogue, operands, result);
            if (!Found.TryGetValue(key, out GpuKernel? kernel))
                Found.Add(key, kernel = new GpuKernel(
                    typeof(WgmmaGemm).GetMethod(nameof(Run), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types),
                    GpuKernel.NameOf("Gemm wgmma", types), Threads, 1, Registers, Buffers * BufferBytes + Wgmma.Alignment, GpuTarget.Wgmma)
                {
                    // The copies stand once in the loop and once before it.
                    Instructions = (TileK / Wgmma.Depth, 0, BufferBytes / 16 / Threads * 2),
                });
            return kernel;
        }
    }

    /// <summary>How a product is cut into tiles; with the depth's slices, each layer of a batch has them all.</summary>
    private struct TileScheduler
    {
        public int Rows, Columns, Depth, Slices, SliceDepth;

        // The tile in hand, from the last call of MoveTo.
        public int FirstRow, FirstColumn, Batch, Slice, FirstDepth, DepthEnd;

        /// <summary>Goes to a tile by its number, along the columns first, so that blocks at work share rows in the L2 cache.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void MoveTo(int tile)
        {
            int across = (int)((uint)(Columns + WgmmaGemm.TileN - 1) / WgmmaGemm.TileN);
            int down = (int)((uint)(Rows + WgmmaGemm.TileM - 1) / WgmmaGemm.TileM);
            int band = tile / across, layer = band / down;
            FirstColumn = (tile - band * across) * WgmmaGemm.TileN;
            FirstRow = (band - layer * down) * WgmmaGemm.TileM;
            Batch = layer / Slices;
            Slice = layer - Batch * Slices;
            FirstDepth = Slice * SliceDepth;
            DepthEnd = IntrinsicMath.Min(Depth, FirstDepth + SliceDepth);
        }
    }

    /// <summary>The copies of a block's tiles, stage by stage.</summary>
    private struct Producer<TLeft, TRight, TDtype>
        where TLeft : struct, MmaSyncGemm.IOperandLayout where TRight : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16
    {
        public TileLoader<TLeft, TDtype> Left;
        public TileLoader<TRight, TDtype> Right;
        public GlobalPtr16<TDtype> A, B;
        public int LeadingA, LeadingB, Tile, TileEnd, Remaining;
        public long StrideA, StrideB;
        public TileScheduler Tiles;

        /// <summary>Starts the copies of the next stage; past the last tile they write zeros, and the group is there too.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Fill(int stage)
        {
            if (Remaining <= 0)
                Begin();
            TileLoader<TLeft, TDtype>.CopyBody left = Left.Next(stage);
            Unroll4.For(ref left);
            TileLoader<TRight, TDtype>.CopyBody right = Right.Next(stage + LeftBytes);
            Unroll8.For(ref right);
            Ptx.CommitCopies();
            Remaining -= TileK;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Begin()
        {
            if (Tile >= TileEnd)
            {
                Left.End();
                Right.End();
                return;
            }
            Tiles.MoveTo(Tile);
            TileLoader<TLeft, TDtype>.OffsetBody left = Left.Begin(new GlobalPtr16<TDtype>(A.At(Tiles.Batch * StrideA)), LeadingA,
                Tiles.FirstRow, Tiles.Rows, Tiles.FirstDepth, Tiles.DepthEnd);
            Unroll4.For(ref left);
            TileLoader<TRight, TDtype>.OffsetBody right = Right.Begin(new GlobalPtr16<TDtype>(B.At(Tiles.Batch * StrideB)), LeadingB,
                Tiles.FirstColumn, Tiles.Columns, Tiles.FirstDepth, Tiles.DepthEnd);
            Unroll8.For(ref right);
            Remaining = Tiles.DepthEnd - Tiles.FirstDepth;
            Tile += Grid.DimX;
        }
    }

    private struct WgmmaBody<TLeft, TRight, TDtype> : IUnrolledBody
        where TLeft : struct, MmaSyncGemm.IOperandLayout where TRight : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16
    {
        public long Left, Right;
        public int Accumulate;

        public void Run(int index) => TDtype.WarpgroupMma(Left + index * Wgmma.NextDepth(TLeft.IsKMajor),
            Right + index * Wgmma.NextDepth(TRight.IsKMajor), index > 0 ? 1 : Accumulate, TLeft.IsKMajor ? 0 : 1,
            TRight.IsKMajor ? 0 : 1);
    }

    private struct StoreBody<TEpilogue, TC> : IUnrolledBody where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
    {
        public EpilogueStore<TEpilogue, TC> Result;

        public void Run(int index) => Result.Store(0, index * 32, Read(index * 4), Read(index * 4 + 1), Read(index * 4 + 2),
            Read(index * 4 + 3));

        // Eight columns of the sums.
        private static F4 Read(int columns)
        {
            F4 sums;
            (sums.X, sums.Y) = (Wgmma.Read(columns * 4), Wgmma.Read(columns * 4 + 1));
            (sums.Z, sums.W) = (Wgmma.Read(columns * 4 + 2), Wgmma.Read(columns * 4 + 3));
            return sums;
        }
    }

    // Where a thread's chunks belong: in blocks of eight chunks a line, one below the other where lines run along the depth, else side
    // by side.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Place<TLayout, TDtype>(ref TileLoader<TLayout, TDtype> copies)
        where TLayout : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16 =>
        copies.PlaceAt((copies.Chunk >> 3) * Wgmma.Block + Wgmma.Swizzled(copies.Line, copies.Chunk & 7), Wgmma.Line);

    // The launch: as many blocks as there is room for, each of which takes every so many-th of the tiles.
    private static void Run<TLeft, TRight, TEpilogue, TDtype, TC>(GlobalPtr16<TDtype> a, GlobalPtr16<TDtype> b, TC c, GlobalPtrFp32 bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int splitKLength, long sliceStride, float scale, int accumulate, int tiles)
        where TLeft : struct, MmaSyncGemm.IOperandLayout where TRight : struct, MmaSyncGemm.IOperandLayout
        where TEpilogue : struct, IGpuEpilogue where TDtype : struct, IDtype16 where TC : struct, IGlobalPtr
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart(), thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        TileScheduler current = default;
        (current.Rows, current.Columns, current.Depth, current.Slices, current.SliceDepth) = (rows, columns, depth, slices, splitKLength);
        Producer<TLeft, TRight, TDtype> supply = default;
        supply.Left = new(LocalMemory.Allocate<int>(TileM * TileK / 8 / Threads), thread, Threads, TileM, TileK);
        Place(ref supply.Left);
        supply.Right = new(LocalMemory.Allocate<int>(TileN * TileK / 8 / Threads), thread, Threads, TileN, TileK);
        Place(ref supply.Right);
        (supply.A, supply.LeadingA, supply.StrideA) = (a, leadingA, strideA);
        (supply.B, supply.LeadingB, supply.StrideB) = (b, leadingB, strideB);
        (supply.Tile, supply.TileEnd, supply.Tiles) = (Grid.IdxX, tiles, current);
        for (int stage = 0; stage < Ahead; stage++)
            supply.Fill(shared + stage * BufferBytes);

        Wgmma.Clear();
        WgmmaBody<TLeft, TRight, TDtype> multiply;
        StoreBody<TEpilogue, TC> store;
        store.Result = new EpilogueStore<TEpilogue, TC>(c, bias, extra, rows, columns, leadingC, scale, accumulate, vectorized: 1);
        // Neighbouring stages differ in the descriptors' addresses alone.
        long left = Wgmma.Descriptor(shared + (warp >> 2) * Wgmma.Block), right = Wgmma.Descriptor(shared + LeftBytes);
        int reading = 0, writing = Ahead * BufferBytes;
        for (int tile = Grid.IdxX; tile < tiles; tile += Grid.DimX)
        {
            current.MoveTo(tile);
            for (int at = current.FirstDepth; at < current.DepthEnd; at += TileK)
            {
                Ptx.WaitForAllCopiesButOne();
                Wgmma.PublishShared();
                // Everybody's part of this stage is there, and everybody has waited for the products of the stage before last,
                // which is filled next.
                Group.Barrier();
                Wgmma.Fence();
                (multiply.Left, multiply.Right) = (left + Wgmma.Ahead(reading), right + Wgmma.Ahead(reading));
                multiply.Accumulate = at - current.FirstDepth;
                Unroll4.For(ref multiply);
                Wgmma.Commit();
                supply.Fill(shared + writing);
                Wgmma.AwaitAllButOne();
                reading = reading + BufferBytes == Buffers * BufferBytes ? 0 : reading + BufferBytes;
                writing = writing + BufferBytes == Buffers * BufferBytes ? 0 : writing + BufferBytes;
            }
            Wgmma.AwaitAll();
            store.Result.Begin(current.Batch * strideC + current.Slice * sliceStride, current.FirstRow + warp * 16, current.FirstColumn,
                lane);
            Unroll8.For(ref store);
        }
        // The zeros from beyond the last tile: shared memory is not given back while something is on its way there.
        Ptx.WaitForAllCopies();
    }
}
