using System.Reflection;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product of a 16-bit format on tensor cores, fp32 sums. A block computes one tile of the result; its operands come through a
/// ring of shared-memory stages, filled by cp.async while earlier ones are multiplied (Ampere's way; cf. CUTLASS). What lies
/// outside the matrices is filled with zeros by the copies, so any number of rows and any depth will do.
/// </summary>
internal static class MmaSyncGemm
{
    // Depth of a stage: two steps of the instruction's 16.
    private const int TileK = 32;

    // Of the ring: one is multiplied while two are on their way. 48 KB for the large tile, so that two blocks fit any card.
    private const int Buffers = 3;

    // Of a warp: four accumulators side by side, which its quads store as 16 bytes a lane.
    private const int WarpTileN = 32;

    private static readonly Dictionary<(Type, Type, Type, Type, ElementType, ElementType), GpuKernel> Found = [];

    /// <summary>Sizes of a tile; the loops are as long as the struct says and unrolled.</summary>
    internal interface ICtaTile
    {
        /// <summary>Rows of the result that a block computes.</summary>
        static abstract int M { get; }

        /// <summary>Columns of the result that a block computes.</summary>
        static abstract int N { get; }

        /// <summary>Rows that a warp computes.</summary>
        static abstract int WarpM { get; }

        /// <summary>Warps of a block.</summary>
        static abstract int Warps { get; }

        /// <summary>Blocks of a multiprocessor.</summary>
        static abstract int MinBlocks { get; }

        /// <summary>Most registers of a thread.</summary>
        static abstract int Registers { get; }

        /// <summary>Whether results may be stored one by one, which is much code: for those of no multiple of eight columns.</summary>
        static abstract bool AnyWidth { get; }

        /// <summary>Over the 16-row fragments of a warp.</summary>
        static abstract void ForRowFragments<TBody>(ref TBody step) where TBody : struct, IUnrolledBody;

        /// <summary>Over the 16 x 8 accumulators of a warp.</summary>
        static abstract void ForAccumulators<TBody>(ref TBody step) where TBody : struct, IUnrolledBody;

        /// <summary>Over the 16-byte copies of a thread for a stage of the left operand.</summary>
        static abstract void ForLeftCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody;

        /// <summary>Over the 16-byte copies of a thread for a stage of the right operand.</summary>
        static abstract void ForRightCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody;
    }

    /// <summary>128 x 128: for large results; two blocks a multiprocessor.</summary>
    internal readonly struct Tile128x128 : ICtaTile
    {
        public static int M => 128;
        public static int N => 128;
        public static int WarpM => 64;
        public static int Warps => 8;
        public static int MinBlocks => 2;
        public static int Registers => 128;
        public static bool AnyWidth => false;
        public static void ForRowFragments<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll4.For(ref step);
        public static void ForAccumulators<TBody>(ref TBody step) where TBody : struct, IUnrolledBody =>
            Unroll16.For(ref step);
        public static void ForLeftCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
        public static void ForRightCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
    }

    /// <summary>64 x 64: for results with few large tiles, and of any width.</summary>
    internal readonly struct Tile64x64 : ICtaTile
    {
        public static int M => 64;
        public static int N => 64;
        public static int WarpM => 32;
        public static int Warps => 4;
        public static int MinBlocks => 3;
        public static int Registers => 128;
        public static bool AnyWidth => true;
        public static void ForRowFragments<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
        public static void ForAccumulators<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll8.For(ref step);
        public static void ForLeftCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
        public static void ForRightCopies<TBody>(ref TBody step) where TBody : struct, IUnrolledBody => Unroll2.For(ref step);
    }

    /// <summary>
    /// How an operand lies in memory, and so in shared memory. "Outer" is the axis that is not the depth: rows of the left
    /// operand, columns of the right one. 16-byte chunks are swizzled, so that the eight rows that ldmatrix reads at once lie in
    /// different banks.
    /// </summary>
    internal interface IOperandLayout
    {
        /// <summary>Whether neighbours in memory are neighbours in depth.</summary>
        static abstract bool IsKMajor { get; }
    }

    /// <summary>[outer, depth]: neighbours differ in depth.</summary>
    internal readonly struct KMajor : IOperandLayout
    {
        public static bool IsKMajor => true;
    }

    /// <summary>[depth, outer]: neighbours differ in the outer index.</summary>
    internal readonly struct MnMajor : IOperandLayout
    {
        public static bool IsKMajor => false;
    }

    /// <summary>The kernel of a tile, layouts, epilogue and types of operands and result.</summary>
    public static GpuKernel Find(Type tile, Type left, Type right, Type epilogue, ElementType operands, ElementType result)
    {
        Type[] types = [tile, left, right, epilogue, operands.Dtype(), result.PointerType()];
        lock (Found)
        {
            var key = (tile, left, right, epilogue, operands, result);
            if (!Found.TryGetValue(key, out GpuKernel? kernel))
                Found.Add(key, kernel = (GpuKernel)typeof(MmaSyncGemm)
                    .GetMethod(nameof(Make), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types).Invoke(null, null)!);
            return kernel;
        }
    }

    private static GpuKernel Make<TTile, TLeft, TRight, TEpilogue, TDtype, TC>()
        where TTile : struct, ICtaTile where TLeft : struct, IOperandLayout where TRight : struct, IOperandLayout
        where TEpilogue : struct, IGpuEpilogue where TDtype : struct, IDtype16 where TC : struct, IGlobalPtr
    {
        int rowFragments = TTile.WarpM / 16, columnFragments = WarpTileN / 16, threads = TTile.Warps * 32;
        int copies = (TTile.M + TTile.N) * TileK / 8 / threads;
        return new GpuKernel(typeof(MmaSyncGemm).GetMethod(nameof(Run), BindingFlags.Static | BindingFlags.NonPublic)!
                .MakeGenericMethod(typeof(TTile), typeof(TLeft), typeof(TRight), typeof(TEpilogue), typeof(TDtype), typeof(TC)),
            GpuKernel.NameOf("Gemm", typeof(TTile), typeof(TLeft), typeof(TRight), typeof(TEpilogue), typeof(TDtype), typeof(TC)),
            threads, TTile.MinBlocks, TTile.Registers, Buffers * (TTile.M + TTile.N) * TileK * 2, GpuTarget.MmaSync)
        {
            // Two steps of depth; the copies stand once in the loop and once for each stage that is filled before it.
            Instructions = (2 * rowFragments * columnFragments * 2, 2 * (rowFragments + columnFragments), copies * Buffers),
        };
    }

    // Byte offset in a stage of a 16-byte chunk, given by its row and place in the row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzled<TLayout>(int outer, int row, int chunk) where TLayout : struct, IOperandLayout =>
        TLayout.IsKMajor ? row * (TileK * 2) + ((chunk ^ (row >> 1 & 3)) << 4) : row * (outer * 2) + ((chunk ^ (row & 7)) << 4);

    // Bytes of a line in a stage: a row or column of the result's, or one of depth.
    private static int LineBytes<TLayout>(int outer) where TLayout : struct, IOperandLayout => (TLayout.IsKMajor ? TileK : outer) * 2;

    // Byte of a stage at which a lane's address for the left operand's first fragment lies, in the layout of Gpu.Mma.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LeftPlace<TLayout>(int outer, int warpRow, int lane) where TLayout : struct, IOperandLayout => TLayout.IsKMajor
        ? Swizzled<TLayout>(outer, warpRow + (lane & 15), lane >> 4)
        : Swizzled<TLayout>(outer, (lane & 7) + (lane >> 4 << 3), (warpRow >> 3) + (lane >> 3 & 1));

    // As LeftPlace, of the right operand.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RightPlace<TLayout>(int outer, int warpColumn, int lane) where TLayout : struct, IOperandLayout => TLayout.IsKMajor
        ? Swizzled<TLayout>(outer, warpColumn + (lane & 7) + (lane >> 4 << 3), lane >> 3 & 1)
        : Swizzled<TLayout>(outer, lane & 15, (warpColumn >> 3) + (lane >> 4));

    // Fragments are 16 lines or two chunks apart. Lines are added, as the swizzle repeats after eight of them; chunks change bits of
    // their own, which the swizzle only inverts.
    private struct FragmentBody<TLayout> : IUnrolledBody where TLayout : struct, IOperandLayout
    {
        public ArrayView<U4> Fragments;
        public int Stage, Place, Outer, Half;

        public void Run(int index)
        {
            int lines = 16 * LineBytes<TLayout>(Outer);
            Fragments[index] = TLayout.IsKMajor
                ? Ptx.LoadMatrices(Stage + (Place ^ (Half << 5)) + index * lines)
                : Ptx.LoadMatricesTransposed(Stage + (Place ^ (index << 5)) + Half * lines);
        }
    }

    private struct MmaBody<TTile, TDtype> : IUnrolledBody where TTile : struct, ICtaTile where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;

        public void Run(int index)
        {
            int columns = WarpTileN / 8, i = index / columns, j = index % columns;
            U4 b = Right[j >> 1];
            Sums[index] = (j & 1) == 0 ? TDtype.Mma(Sums[index], Left[i], b.X, b.Y) : TDtype.Mma(Sums[index], Left[i], b.Z, b.W);
        }
    }

    private struct KBody<TTile, TLeft, TRight, TDtype> : IUnrolledBody
        where TTile : struct, ICtaTile where TLeft : struct, IOperandLayout where TRight : struct, IOperandLayout where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;
        public int StageLeft, StageRight, PlaceLeft, PlaceRight;

        public void Run(int index)
        {
            FragmentBody<TRight> right;
            (right.Fragments, right.Stage, right.Place, right.Outer, right.Half) = (Right, StageRight, PlaceRight, TTile.N, index);
            Unroll2.For(ref right);
            FragmentBody<TLeft> left;
            (left.Fragments, left.Stage, left.Place, left.Outer, left.Half) = (Left, StageLeft, PlaceLeft, TTile.M, index);
            TTile.ForRowFragments(ref left);
            MmaBody<TTile, TDtype> multiply;
            (multiply.Sums, multiply.Left, multiply.Right) = (Sums, Left, Right);
            TTile.ForAccumulators(ref multiply);
        }
    }

    private struct ZeroBody : IUnrolledBody
    {
        public ArrayView<F4> Sums;

        public void Run(int index) => Sums[index] = default;
    }

    private struct StoreBody<TEpilogue, TC> : IUnrolledBody where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
    {
        public ArrayView<F4> Sums;
        public EpilogueStore<TEpilogue, TC> Result;

        public void Run(int index) =>
            Result.Store(index * 16, 0, Sums[index * 4], Sums[index * 4 + 1], Sums[index * 4 + 2], Sums[index * 4 + 3]);
    }

    // Starts the copies of one stage; beyond the depth they only write zeros, and the group is there all the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill<TTile, TLeft, TRight, TDtype>(ref TileLoader<TLeft, TDtype> left,
        ref TileLoader<TRight, TDtype> right, int stage, int leftBytes)
        where TTile : struct, ICtaTile where TLeft : struct, IOperandLayout where TRight : struct, IOperandLayout where TDtype : struct, IDtype16
    {
        TileLoader<TLeft, TDtype>.CopyBody copyLeft = left.Next(stage);
        TTile.ForLeftCopies(ref copyLeft);
        TileLoader<TRight, TDtype>.CopyBody copyRight = right.Next(stage + leftBytes);
        TTile.ForRightCopies(ref copyRight);
        Ptx.CommitCopies();
    }

    // The launch: x and y are the tiles' columns and rows, z is the product of a batch, cut further into slices of the depth.
    private static void Run<TTile, TLeft, TRight, TEpilogue, TDtype, TC>(GlobalPtr16<TDtype> a, GlobalPtr16<TDtype> b, TC c, GlobalPtrFp32 bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int splitKLength, long sliceStride, float scale, int accumulate, int vectorized)
        where TTile : struct, ICtaTile where TLeft : struct, IOperandLayout where TRight : struct, IOperandLayout
        where TEpilogue : struct, IGpuEpilogue where TDtype : struct, IDtype16 where TC : struct, IGlobalPtr
    {
        ArrayView<F4> sums = LocalMemory.Allocate<F4>(TTile.WarpM * WarpTileN / 128);
        ArrayView<U4> leftFragments = LocalMemory.Allocate<U4>(TTile.WarpM / 16),
            rightFragments = LocalMemory.Allocate<U4>(WarpTileN / 16);
        int shared = Ptx.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int leftBytes = TTile.M * TileK * 2, stageBytes = leftBytes + TTile.N * TileK * 2, ringBytes = stageBytes * Buffers;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, across = TTile.N / WarpTileN;
        int warpRow = warp / across * TTile.WarpM, warpColumn = warp % across * WarpTileN;
        int firstRow = Grid.IdxY * TTile.M, firstColumn = Grid.IdxX * TTile.N;
        int batch = Grid.IdxZ / slices, slice = Grid.IdxZ - batch * slices;
        int firstDepth = slice * splitKLength, depthEnd = IntrinsicMath.Min(depth, firstDepth + splitKLength);

        TileLoader<TLeft, TDtype> left = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.M, TileK);
        left.PlaceAt(Swizzled<TLeft>(TTile.M, left.Line, left.Chunk), LineBytes<TLeft>(TTile.M));
        TileLoader<TLeft, TDtype>.OffsetBody leftOffsets =
            left.Begin(new GlobalPtr16<TDtype>(a.At(batch * strideA)), leadingA, firstRow, rows, firstDepth, depthEnd);
        TTile.ForLeftCopies(ref leftOffsets);
        TileLoader<TRight, TDtype> right = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.N, TileK);
        right.PlaceAt(Swizzled<TRight>(TTile.N, right.Line, right.Chunk), LineBytes<TRight>(TTile.N));
        TileLoader<TRight, TDtype>.OffsetBody rightOffsets =
            right.Begin(new GlobalPtr16<TDtype>(b.At(batch * strideB)), leadingB, firstColumn, columns, firstDepth, depthEnd);
        TTile.ForRightCopies(ref rightOffsets);

        Fill<TTile, TLeft, TRight, TDtype>(ref left, ref right, shared, leftBytes);
        Fill<TTile, TLeft, TRight, TDtype>(ref left, ref right, shared + stageBytes, leftBytes);
        ZeroBody zero;
        zero.Sums = sums;
        TTile.ForAccumulators(ref zero);

        KBody<TTile, TLeft, TRight, TDtype> step;
        (step.Sums, step.Left, step.Right) = (sums, leftFragments, rightFragments);
        step.PlaceLeft = LeftPlace<TLeft>(TTile.M, warpRow, lane);
        step.PlaceRight = RightPlace<TRight>(TTile.N, warpColumn, lane);
        int reading = 0, writing = 2 * stageBytes;
        for (int at = firstDepth; at < depthEnd; at += TileK)
        {
            Ptx.WaitForAllCopiesButOne();
            // Everybody's part of this stage is there, and nobody still reads the stage that is filled next.
            Group.Barrier();
            Fill<TTile, TLeft, TRight, TDtype>(ref left, ref right, shared + writing, leftBytes);
            step.StageLeft = shared + reading;
            step.StageRight = shared + reading + leftBytes;
            Unroll2.For(ref step);
            reading = reading + stageBytes == ringBytes ? 0 : reading + stageBytes;
            writing = writing + stageBytes == ringBytes ? 0 : writing + stageBytes;
        }
        // The zeros from beyond the depth: shared memory is not given back while something is on its way there.
        Ptx.WaitForAllCopies();

        StoreBody<TEpilogue, TC> store;
        store.Sums = sums;
        store.Result = new EpilogueStore<TEpilogue, TC>(c, bias, extra, rows, columns, leadingC, scale, accumulate,
            TTile.AnyWidth ? vectorized : 1);
        store.Result.Begin(batch * strideC + slice * sliceStride, firstRow + warpRow, firstColumn + warpColumn, lane);
        TTile.ForRowFragments(ref store);
    }
}
