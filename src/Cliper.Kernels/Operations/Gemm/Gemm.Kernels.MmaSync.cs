using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// GEMM on tensor cores with mma.sync: operands of a 16-bit dtype, accumulators in fp32 (Ampere's way; compare
/// CUTLASS's multistage pipeline).
/// </summary>
/// <remarks>
/// Layout of a pipeline buffer: [A tile | B tile], each 32 k. A K-major tile has 128 or 64 lines (rows of A, columns
/// of B) of 32 k, 64 bytes; an MN-major tile has 32 lines (k) of 128 or 64 m or n. 16-byte chunks of a line are
/// swizzled, so that the eight lines that ldmatrix reads at once lie in different banks.
/// </remarks>
internal static partial class MmaSyncGemm
{
    // K extent of the CTA tile: two steps of the mma's 16.
    public const int TileK = 32;

    // Pipeline depth: one buffer is multiplied while two are on their way. 48 KB for the large tile, so that two CTAs
    // fit any GPU.
    private const int Buffers = 3;

    // N extent of a warp tile: four 16x8 accumulators, so that each quad of lanes stores whole 16-byte vectors.
    private const int WarpTileN = 32;

    /// <summary>
    /// Byte offset in a tile of a 16-byte chunk, given by its line and its position there; <paramref name="tileMn"/>
    /// is the tile's extent along M or N.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzle<TLayout>(int tileMn, int line, int chunk)
        where TLayout : struct, IOperandLayout => TLayout.IsKMajor
        ? line * (TileK * 2) + ((chunk ^ (line >> 1 & 3)) << 4)
        : line * (tileMn * 2) + ((chunk ^ (line & 7)) << 4);

    /// <summary>Bytes of a line of a tile.</summary>
    private static int LineBytes<TLayout>(int tileMn) where TLayout : struct, IOperandLayout =>
        (TLayout.IsKMajor ? TileK : tileMn) * 2;

    /// <summary>
    /// Offset in the A tile that this lane passes to ldmatrix to load the warp's first 16x16 A fragment in the layout
    /// of <see cref="Ptx.MmaFp16"/>: as it lies when K-major, with .trans when MN-major.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FragmentOffsetA<TLayout>(int tileM, int warpRow, int lane)
        where TLayout : struct, IOperandLayout =>
        TLayout.IsKMajor
            ? Swizzle<TLayout>(tileM, warpRow + (lane & 15), lane >> 4)
            : Swizzle<TLayout>(tileM, (lane & 7) + (lane >> 4 << 3), (warpRow >> 3) + (lane >> 3 & 1));

    /// <summary>The same for the warp's first 16x16 B fragment in the B tile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FragmentOffsetB<TLayout>(int tileN, int warpColumn, int lane)
        where TLayout : struct, IOperandLayout =>
        TLayout.IsKMajor
            ? Swizzle<TLayout>(tileN, warpColumn + (lane & 7) + (lane >> 4 << 3), lane >> 3 & 1)
            : Swizzle<TLayout>(tileN, lane & 15, (warpColumn >> 3) + (lane >> 4));

    /// <summary>
    /// Loads a fragment. Fragments are 16 lines or two chunks apart: lines are added, as the swizzle repeats after
    /// eight of them; chunks change bits of their own, which the swizzle only inverts.
    /// </summary>
    [DeviceCode]
    private struct LoadFragmentBody<TLayout> : IUnrolledBody where TLayout : struct, IOperandLayout
    {
        // KStep is 0 or 1, the half of the k tile.
        public ArrayView<U4> Fragments;
        public int Tile, Offset, TileMn, KStep;

        public void Run(int index)
        {
            int lines = 16 * LineBytes<TLayout>(TileMn);
            Fragments[index] = TLayout.IsKMajor
                ? Ptx.LoadMatrices(Tile + (Offset ^ (KStep << 5)) + index * lines)
                : Ptx.LoadMatricesTransposed(Tile + (Offset ^ (index << 5)) + KStep * lines);
        }
    }

    [DeviceCode]
    private struct MmaBody<TTile, TDtype> : IUnrolledBody where TTile : struct, ICtaTile where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Accumulators;
        public ArrayView<U4> A, B;

        public void Run(int index)
        {
            int columns = WarpTileN / 8, i = index / columns, j = index % columns;
            U4 b = B[j >> 1];
            Accumulators[index] = (j & 1) == 0 ? TDtype.Mma(Accumulators[index], A[i], b.X, b.Y)
                : TDtype.Mma(Accumulators[index], A[i], b.Z, b.W);
        }
    }

    /// <summary>
    /// One k step of 16: moves the warp's fragments of A and B from shared memory to registers and multiplies them.
    /// </summary>
    [DeviceCode]
    private struct KStepBody<TTile, TLayoutA, TLayoutB, TDtype> : IUnrolledBody
        where TTile : struct, ICtaTile where TLayoutA : struct, IOperandLayout where TLayoutB : struct, IOperandLayout
        where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Accumulators;
        public ArrayView<U4> A, B;
        public int TileA, TileB, OffsetA, OffsetB;

        public void Run(int index)
        {
            var loadB = new LoadFragmentBody<TLayoutB>
            {
                Fragments = B,
                Tile = TileB,
                Offset = OffsetB,
                TileMn = TTile.N,
                KStep = index,
            };
            Unroll2.For(ref loadB);
            var loadA = new LoadFragmentBody<TLayoutA>
            {
                Fragments = A,
                Tile = TileA,
                Offset = OffsetA,
                TileMn = TTile.M,
                KStep = index,
            };
            TTile.ForFragmentsA(ref loadA);
            var multiply = new MmaBody<TTile, TDtype> { Accumulators = Accumulators, A = A, B = B };
            TTile.ForAccumulators(ref multiply);
        }
    }

    [DeviceCode]
    private struct ZeroBody : IUnrolledBody
    {
        public ArrayView<F4> Accumulators;

        public void Run(int index) => Accumulators[index] = default;
    }

    /// <summary>Stores 16 rows of the warp tile.</summary>
    [DeviceCode]
    private struct StoreBody<TEpilogue, TC> : IUnrolledBody
        where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
    {
        public ArrayView<F4> Accumulators;
        public EpilogueStore<TEpilogue, TC> Epilogue;

        public void Run(int index) =>
            Epilogue.Store(index * 16, 0, Accumulators[index * 4], Accumulators[index * 4 + 1],
            Accumulators[index * 4 + 2], Accumulators[index * 4 + 3]);
    }

    /// <summary>
    /// Starts the copies of the next k tile to a pipeline buffer. Beyond the range of k they only write zeros, and
    /// the group is committed all the same, so that the count of groups in flight stays the same.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FillBuffer<TTile, TLayoutA, TLayoutB, TDtype>(ref TileLoader<TLayoutA, TDtype> loaderA,
        ref TileLoader<TLayoutB, TDtype> loaderB, int buffer, int bytesA)
        where TTile : struct, ICtaTile where TLayoutA : struct, IOperandLayout where TLayoutB : struct, IOperandLayout
        where TDtype : struct, IDtype16
    {
        TileLoader<TLayoutA, TDtype>.CopyBody copyA = loaderA.Next(buffer);
        TTile.ForCopiesA(ref copyA);
        TileLoader<TLayoutB, TDtype>.CopyBody copyB = loaderB.Next(buffer + bytesA);
        TTile.ForCopiesB(ref copyB);
        Ptx.CommitCopies();
    }

    /// <summary>C = epilogue(scale A B + C) with a three-buffer cp.async pipeline.</summary>
    /// <remarks>
    /// CTA tile: 128 x 128 x 32 with 8 warps of 64 x 32, or 64 x 64 x 32 with 4 warps of 32 x 32 (M, N, K). Grid: x
    /// and y count the CTA tiles along N and M, z is batch * splits + split.
    /// Shared memory: three pipeline buffers [A tile | B tile], 16 KiB or 8 KiB each.
    /// Registers: accumulators 16 or 8 x F4, A fragments 4 or 2 x U4, B fragments 2 x U4.
    /// </remarks>
    /// <param name="a">[m, k], of <typeparamref name="TLayoutA"/>.</param>
    /// <param name="b">[k, n], of <typeparamref name="TLayoutB"/>.</param>
    /// <param name="c">[m, n], or with split-K the partial results [splits, m, n].</param>
    /// <param name="bias">[n]; null for none.</param>
    /// <param name="extra">[m, n] without gaps, see <see cref="IGpuEpilogue"/>; null for none.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
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
    /// <param name="vectorized">1 when eight columns of C, bias and extra can be accessed at once.</param>
    [DeviceCode]
    private static void MmaSyncGemmKernel<TTile, TLayoutA, TLayoutB, TEpilogue, TDtype, TC>(GlobalPtr16<TDtype> a,
        GlobalPtr16<TDtype> b, TC c, GlobalPtrFp32 bias, TC extra, int m, int n, int k, int leadingA, int leadingB,
        int leadingC, long strideA, long strideB, long strideC, int splits, int splitKLength, long splitStride,
        float scale, int accumulate, int vectorized)
        where TTile : struct, ICtaTile where TLayoutA : struct, IOperandLayout where TLayoutB : struct, IOperandLayout
        where TEpilogue : struct, IGpuEpilogue where TDtype : struct, IDtype16 where TC : struct, IGlobalPtr
    {
        ArrayView<F4> accumulators = LocalMemory.Allocate<F4>(TTile.WarpM * WarpTileN / 128);
        ArrayView<U4> fragmentsA = LocalMemory.Allocate<U4>(TTile.WarpM / 16),
            fragmentsB = LocalMemory.Allocate<U4>(WarpTileN / 16);
        int shared = Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int bytesA = TTile.M * TileK * 2, bufferBytes = bytesA + TTile.N * TileK * 2, allBytes = bufferBytes * Buffers;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, warpsAlongN = TTile.N / WarpTileN;
        int warpRow = warp / warpsAlongN * TTile.WarpM, warpColumn = warp % warpsAlongN * WarpTileN;
        int firstRow = Grid.IdxY * TTile.M, firstColumn = Grid.IdxX * TTile.N;
        int batch = Grid.IdxZ / splits, split = Grid.IdxZ - batch * splits;
        int firstK = split * splitKLength, kEnd = IntrinsicMath.Min(k, firstK + splitKLength);

        // (1) Compute this thread's share of the tile copies, and start those of the first two k tiles.
        TileLoader<TLayoutA, TDtype> loaderA = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.M,
            TileK);
        loaderA.PlaceAt(Swizzle<TLayoutA>(TTile.M, loaderA.Line, loaderA.Chunk), LineBytes<TLayoutA>(TTile.M));
        TileLoader<TLayoutA, TDtype>.OffsetBody offsetsA =
            loaderA.Begin(new GlobalPtr16<TDtype>(a.At(batch * strideA)), leadingA, firstRow, m, firstK, kEnd);
        TTile.ForCopiesA(ref offsetsA);
        TileLoader<TLayoutB, TDtype> loaderB = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.N,
            TileK);
        loaderB.PlaceAt(Swizzle<TLayoutB>(TTile.N, loaderB.Line, loaderB.Chunk), LineBytes<TLayoutB>(TTile.N));
        TileLoader<TLayoutB, TDtype>.OffsetBody offsetsB =
            loaderB.Begin(new GlobalPtr16<TDtype>(b.At(batch * strideB)), leadingB, firstColumn, n, firstK, kEnd);
        TTile.ForCopiesB(ref offsetsB);
        FillBuffer<TTile, TLayoutA, TLayoutB, TDtype>(ref loaderA, ref loaderB, shared, bytesA);
        FillBuffer<TTile, TLayoutA, TLayoutB, TDtype>(ref loaderA, ref loaderB, shared + bufferBytes, bytesA);
        var zero = new ZeroBody { Accumulators = accumulators };
        TTile.ForAccumulators(ref zero);

        // (2) For each k tile:
        KStepBody<TTile, TLayoutA, TLayoutB, TDtype> kStep;
        (kStep.Accumulators, kStep.A, kStep.B) = (accumulators, fragmentsA, fragmentsB);
        kStep.OffsetA = FragmentOffsetA<TLayoutA>(TTile.M, warpRow, lane);
        kStep.OffsetB = FragmentOffsetB<TLayoutB>(TTile.N, warpColumn, lane);
        int reading = 0, writing = 2 * bufferBytes;
        for (int tileK = firstK; tileK < kEnd; tileK += TileK)
        {
            // (2.1) Wait for it. After the barrier every thread's part is there, and no warp still reads the buffer
            // that is filled next.
            Ptx.WaitForAllCopiesButOne();
            Group.Barrier();
            // (2.2) Start copying the k tile after next from global to shared memory.
            FillBuffer<TTile, TLayoutA, TLayoutB, TDtype>(ref loaderA, ref loaderB, shared + writing, bytesA);
            // (2.3) Twice: move fragments of 16 k from shared memory to registers, accumulators += A B.
            kStep.TileA = shared + reading;
            kStep.TileB = shared + reading + bytesA;
            Unroll2.For(ref kStep);
            reading = reading + bufferBytes == allBytes ? 0 : reading + bufferBytes;
            writing = writing + bufferBytes == allBytes ? 0 : writing + bufferBytes;
        }
        // The last copies write zeros from beyond the range of k: shared memory must not be released while they are
        // on their way.
        Ptx.WaitForAllCopies();

        // (3) Apply the epilogue to the accumulators and store them from registers to C.
        StoreBody<TEpilogue, TC> store;
        store.Accumulators = accumulators;
        store.Epilogue = new EpilogueStore<TEpilogue, TC>(c, bias, extra, m, n, leadingC, scale, accumulate,
            TTile.AnyWidth ? vectorized : 1);
        store.Epilogue.Begin(batch * strideC + split * splitStride, firstRow + warpRow, firstColumn + warpColumn, lane);
        TTile.ForFragmentsA(ref store);
    }
}
