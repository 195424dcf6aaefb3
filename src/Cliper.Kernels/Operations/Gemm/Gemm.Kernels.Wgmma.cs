using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// GEMM on Hopper's tensor cores with wgmma: operands of a 16-bit dtype, accumulators in fp32. It does what
/// <see cref="MmaSyncGemm"/> does, with mma of whole warpgroups that read shared memory themselves.
/// </summary>
internal static partial class WgmmaGemm
{
    /// <summary>M extent of the CTA tile: 64 rows a warpgroup.</summary>
    public const int TileM = Warpgroups * Wgmma.M;

    /// <summary>N extent of the CTA tile.</summary>
    public const int TileN = Wgmma.N;

    /// <summary>K extent of the CTA tile.</summary>
    public const int TileK = Wgmma.BlockK;

    // One of the four pipeline buffers is multiplied, the one before it may still be read, and two (Prefetched) are
    // on their way.
    private const int Warpgroups = 2, Threads = Warpgroups * 128, Buffers = 4, Prefetched = 2;
    private const int BytesA = TileM * TileK * 2, BufferBytes = BytesA + TileN * TileK * 2, Registers = 248;

    /// <summary>
    /// The tile scheduler of the persistent kernel: maps a number to a CTA tile of C, a GEMM of the batch and a part
    /// of the range of k.
    /// </summary>
    [DeviceCode]
    private struct TileScheduler
    {
        public int M, N, K, Splits, SplitKLength;

        // The current tile, set by MoveTo.
        public int FirstRow, FirstColumn, Batch, Split, FirstK, KEnd;

        /// <summary>
        /// Moves to a tile by its number, along N first, so that CTAs at work share rows of A in the L2 cache.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void MoveTo(int tile)
        {
            int tilesN = (int)((uint)(N + TileN - 1) / TileN);
            int tilesM = (int)((uint)(M + TileM - 1) / TileM);
            int rowOfTiles = tile / tilesN, layer = rowOfTiles / tilesM;
            FirstColumn = (tile - rowOfTiles * tilesN) * TileN;
            FirstRow = (rowOfTiles - layer * tilesM) * TileM;
            Batch = layer / Splits;
            Split = layer - Batch * Splits;
            FirstK = Split * SplitKLength;
            KEnd = IntrinsicMath.Min(K, FirstK + SplitKLength);
        }
    }

    /// <summary>
    /// The producer: copies the k tiles of one CTA tile after another to the pipeline buffers, ahead of the mma and
    /// across tile borders.
    /// </summary>
    [DeviceCode]
    private struct Producer<TLayoutA, TLayoutB, TDtype>
        where TLayoutA : struct, MmaSyncGemm.IOperandLayout where TLayoutB : struct, MmaSyncGemm.IOperandLayout
        where TDtype : struct, IDtype16
    {
        public TileLoader<TLayoutA, TDtype> LoaderA;
        public TileLoader<TLayoutB, TDtype> LoaderB;
        public GlobalPtr16<TDtype> A, B;
        public int LeadingA, LeadingB, Tile, TileEnd, KLeft;
        public long StrideA, StrideB;
        public TileScheduler Tiles;

        /// <summary>
        /// Starts the copies of the next k tile and commits their group. Past the last CTA tile the copies write zeros.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void FillBuffer(int buffer)
        {
            if (KLeft <= 0)
                BeginTile();
            TileLoader<TLayoutA, TDtype>.CopyBody copyA = LoaderA.Next(buffer);
            Unroll4.For(ref copyA);
            TileLoader<TLayoutB, TDtype>.CopyBody copyB = LoaderB.Next(buffer + BytesA);
            Unroll8.For(ref copyB);
            Ptx.CommitCopies();
            KLeft -= TileK;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void BeginTile()
        {
            if (Tile >= TileEnd)
            {
                LoaderA.End();
                LoaderB.End();
                return;
            }
            Tiles.MoveTo(Tile);
            TileLoader<TLayoutA, TDtype>.OffsetBody offsetsA = LoaderA.Begin(
                new GlobalPtr16<TDtype>(A.At(Tiles.Batch * StrideA)), LeadingA, Tiles.FirstRow, Tiles.M, Tiles.FirstK,
                Tiles.KEnd);
            Unroll4.For(ref offsetsA);
            TileLoader<TLayoutB, TDtype>.OffsetBody offsetsB = LoaderB.Begin(
                new GlobalPtr16<TDtype>(B.At(Tiles.Batch * StrideB)), LeadingB, Tiles.FirstColumn, Tiles.N,
                Tiles.FirstK, Tiles.KEnd);
            Unroll8.For(ref offsetsB);
            KLeft = Tiles.KEnd - Tiles.FirstK;
            Tile += Grid.DimX;
        }
    }

    /// <summary>Starts one wgmma of 16 k.</summary>
    [DeviceCode]
    private struct WgmmaBody<TLayoutA, TLayoutB, TDtype> : IUnrolledBody
        where TLayoutA : struct, MmaSyncGemm.IOperandLayout where TLayoutB : struct, MmaSyncGemm.IOperandLayout
        where TDtype : struct, IDtype16
    {
        // A and B are descriptors. Accumulate is 0 for the first k of a CTA tile.
        public long A, B;
        public int Accumulate;

        public void Run(int index) => TDtype.WarpgroupMma(A + index * Wgmma.NextK(TLayoutA.IsKMajor),
            B + index * Wgmma.NextK(TLayoutB.IsKMajor), index > 0 ? 1 : Accumulate, TLayoutA.IsKMajor ? 0 : 1,
            TLayoutB.IsKMajor ? 0 : 1);
    }

    /// <summary>Stores 32 columns of the warp's 16 rows.</summary>
    [DeviceCode]
    private struct StoreBody<TEpilogue, TC> : IUnrolledBody
        where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
    {
        public EpilogueStore<TEpilogue, TC> Epilogue;

        public void Run(int index) =>
            Epilogue.Store(0, index * 32, Read(index * 4), Read(index * 4 + 1), Read(index * 4 + 2),
            Read(index * 4 + 3));

        // Reads the accumulators of the eight columns from 8 * columns on.
        private static F4 Read(int columns) => new()
        {
            X = Wgmma.Read(columns * 4),
            Y = Wgmma.Read(columns * 4 + 1),
            Z = Wgmma.Read(columns * 4 + 2),
            W = Wgmma.Read(columns * 4 + 3),
        };
    }

    /// <summary>
    /// Places a thread's chunks in a pipeline buffer: in blocks of eight chunks a line, one below the other when
    /// K-major, side by side when MN-major.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Place<TLayout, TDtype>(ref TileLoader<TLayout, TDtype> loader)
        where TLayout : struct, MmaSyncGemm.IOperandLayout where TDtype : struct, IDtype16 =>
        loader.PlaceAt((loader.Chunk >> 3) * Wgmma.Block + Wgmma.Swizzle(loader.Line, loader.Chunk & 7), Wgmma.Line);

    /// <summary>C = epilogue(scale A B + C): a persistent kernel with a four-buffer cp.async pipeline.</summary>
    /// <remarks>
    /// CTA tile: 128 x 256 x 64 (M, N, K); two warpgroups of four warps, 64 rows each. Grid: at most one CTA a
    /// multiprocessor; CTA i computes the tiles i, i + grid, i + 2 grid ... While it stores one tile, the first k
    /// tiles of the next are on their way.
    /// Shared memory: four pipeline buffers [A tile | B tile] of 16 + 32 KiB, in blocks of 64 x 64 elements as
    /// <see cref="Wgmma"/> describes them.
    /// Registers: 128 accumulators a thread, which only <see cref="Wgmma"/> names: warp w has rows 16 w to 16 w + 15.
    /// </remarks>
    /// <param name="a">[m, k], of <typeparamref name="TLayoutA"/>.</param>
    /// <param name="b">[k, n], of <typeparamref name="TLayoutB"/>.</param>
    /// <param name="c">[m, n], or with split-K the partial results [splits, m, n].</param>
    /// <param name="bias">[n]; null for none.</param>
    /// <param name="extra">[m, n] without gaps, see <see cref="IGpuEpilogue"/>; null for none.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C, a multiple of 8.</param>
    /// <param name="k">Length of the reduction dimension.</param>
    /// <param name="leadingA">Leading dimension of A: elements between lines in memory.</param>
    /// <param name="leadingB">Leading dimension of B.</param>
    /// <param name="leadingC">Elements between rows of C.</param>
    /// <param name="strideA">Elements between the A of a batch.</param>
    /// <param name="strideB">Elements between the B of a batch.</param>
    /// <param name="strideC">Elements between the C of a batch.</param>
    /// <param name="splits">Split-K: parts into which the range of k is split.</param>
    /// <param name="splitKLength">Length of a part of the range of k.</param>
    /// <param name="splitStride">Elements between the partial results.</param>
    /// <param name="scale">Factor of A B.</param>
    /// <param name="accumulate">1 to add C before the epilogue.</param>
    /// <param name="tiles">CTA tiles of all GEMMs of the batch and all splits.</param>
    [DeviceCode]
    private static void WgmmaGemmKernel<TLayoutA, TLayoutB, TEpilogue, TDtype, TC>(GlobalPtr16<TDtype> a,
        GlobalPtr16<TDtype> b, TC c, GlobalPtrFp32 bias, TC extra, int m, int n, int k, int leadingA, int leadingB,
        int leadingC, long strideA, long strideB, long strideC, int splits, int splitKLength, long splitStride,
        float scale, int accumulate, int tiles)
        where TLayoutA : struct, MmaSyncGemm.IOperandLayout where TLayoutB : struct, MmaSyncGemm.IOperandLayout
        where TEpilogue : struct, IGpuEpilogue where TDtype : struct, IDtype16 where TC : struct, IGlobalPtr
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart(), thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        var current = new TileScheduler { M = m, N = n, K = k, Splits = splits, SplitKLength = splitKLength };

        // (1) Compute this thread's share of the tile copies, and start those of the first two k tiles.
        Producer<TLayoutA, TLayoutB, TDtype> producer = default;
        producer.LoaderA = new(LocalMemory.Allocate<int>(TileM * TileK / 8 / Threads), thread, Threads, TileM, TileK);
        Place(ref producer.LoaderA);
        producer.LoaderB = new(LocalMemory.Allocate<int>(TileN * TileK / 8 / Threads), thread, Threads, TileN, TileK);
        Place(ref producer.LoaderB);
        (producer.A, producer.LeadingA, producer.StrideA) = (a, leadingA, strideA);
        (producer.B, producer.LeadingB, producer.StrideB) = (b, leadingB, strideB);
        (producer.Tile, producer.TileEnd, producer.Tiles) = (Grid.IdxX, tiles, current);
        for (int buffer = 0; buffer < Prefetched; buffer++)
            producer.FillBuffer(shared + buffer * BufferBytes);

        Wgmma.Clear();
        WgmmaBody<TLayoutA, TLayoutB, TDtype> multiply;
        StoreBody<TEpilogue, TC> store;
        store.Epilogue = new EpilogueStore<TEpilogue, TC>(c, bias, extra, m, n, leadingC, scale, accumulate,
            vectorized: 1);
        // Neighboring buffers differ in the descriptors' addresses alone.
        long descriptorA = Wgmma.Descriptor(shared + (warp >> 2) * Wgmma.Block),
            descriptorB = Wgmma.Descriptor(shared + BytesA);
        int reading = 0, writing = Prefetched * BufferBytes;

        // (2) For each CTA tile of this CTA:
        for (int tile = Grid.IdxX; tile < tiles; tile += Grid.DimX)
        {
            current.MoveTo(tile);
            // (2.1) For each k tile:
            for (int tileK = current.FirstK; tileK < current.KEnd; tileK += TileK)
            {
                // (2.1.1) Wait for it and make it visible to wgmma. After the barrier every thread's part is there,
                // and every warp has waited for the wgmma on the buffer before last, which is filled next.
                Ptx.WaitForAllCopiesButOne();
                Wgmma.PublishShared();
                Group.Barrier();
                // (2.1.2) Start four wgmma of 16 k each: accumulators += A B from shared memory.
                Wgmma.Fence();
                (multiply.A, multiply.B) = (descriptorA + Wgmma.Ahead(reading), descriptorB + Wgmma.Ahead(reading));
                multiply.Accumulate = tileK - current.FirstK;
                Unroll4.For(ref multiply);
                Wgmma.Commit();
                // (2.1.3) Meanwhile start copying the k tile after next from global to shared memory.
                producer.FillBuffer(shared + writing);
                // (2.1.4) Wait for the wgmma of the previous k tile, so that its buffer is free.
                Wgmma.AwaitAllButOne();
                reading = reading + BufferBytes == Buffers * BufferBytes ? 0 : reading + BufferBytes;
                writing = writing + BufferBytes == Buffers * BufferBytes ? 0 : writing + BufferBytes;
            }
            // (2.2) Apply the epilogue to the accumulators and store them from registers to C.
            Wgmma.AwaitAll();
            store.Epilogue.Begin(current.Batch * strideC + current.Split * splitStride, current.FirstRow + warp * 16,
                current.FirstColumn, lane);
            Unroll8.For(ref store);
        }
        // The last copies write zeros from beyond the last tile: shared memory must not be released while they are on
        // their way.
        Ptx.WaitForAllCopies();
    }
}
