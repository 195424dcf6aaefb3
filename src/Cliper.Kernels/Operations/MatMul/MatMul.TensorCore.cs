using System.Reflection;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product of a 16-bit format on tensor cores, fp32 sums. A block computes one tile of the result; its operands come through a
/// ring of shared-memory stages, filled by cp.async while earlier ones are multiplied (Ampere's way; cf. CUTLASS). What lies
/// outside the matrices is filled with zeros by the copies, so any number of rows and any depth will do.
/// </summary>
internal static class TensorCoreProduct
{
    // Depth of a stage: two steps of the instruction's 16.
    private const int Depth = 32;

    // Of the ring: one is multiplied while two are on their way. 48 KB for the large tile, so that two blocks fit any card.
    private const int Stages = 3;

    // Of a warp: four accumulators side by side, which its quads store as 16 bytes a lane.
    private const int WarpColumns = 32;

    private static readonly Dictionary<(Type, Type, Type, Type, ElementType, ElementType), GpuKernel> Found = [];

    /// <summary>Sizes of a tile; the loops are as long as the struct says and unrolled.</summary>
    internal interface ITile
    {
        /// <summary>Rows of the result that a block computes.</summary>
        static abstract int Rows { get; }

        /// <summary>Columns of the result that a block computes.</summary>
        static abstract int Columns { get; }

        /// <summary>Rows that a warp computes.</summary>
        static abstract int WarpRows { get; }

        /// <summary>Warps of a block.</summary>
        static abstract int Warps { get; }

        /// <summary>Blocks of a multiprocessor.</summary>
        static abstract int MinBlocks { get; }

        /// <summary>Most registers of a thread.</summary>
        static abstract int Registers { get; }

        /// <summary>Whether results may be stored one by one, which is much code: for those of no multiple of eight columns.</summary>
        static abstract bool AnyWidth { get; }

        /// <summary>Over the 16-row fragments of a warp.</summary>
        static abstract void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep;

        /// <summary>Over the 16 x 8 accumulators of a warp.</summary>
        static abstract void ForAccumulators<TStep>(ref TStep step) where TStep : struct, IStep;

        /// <summary>Over the 16-byte copies of a thread for a stage of the left operand.</summary>
        static abstract void ForLeftCopies<TStep>(ref TStep step) where TStep : struct, IStep;

        /// <summary>Over the 16-byte copies of a thread for a stage of the right operand.</summary>
        static abstract void ForRightCopies<TStep>(ref TStep step) where TStep : struct, IStep;
    }

    /// <summary>128 x 128: for large results; two blocks a multiprocessor.</summary>
    internal readonly struct Large : ITile
    {
        public static int Rows => 128;
        public static int Columns => 128;
        public static int WarpRows => 64;
        public static int Warps => 8;
        public static int MinBlocks => 2;
        public static int Registers => 128;
        public static bool AnyWidth => false;
        public static void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<Twice<N1>>.For(ref step);
        public static void ForAccumulators<TStep>(ref TStep step) where TStep : struct, IStep =>
            Twice<Twice<Twice<Twice<N1>>>>.For(ref step);
        public static void ForLeftCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForRightCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
    }

    /// <summary>64 x 64: for results with few large tiles, and of any width.</summary>
    internal readonly struct Small : ITile
    {
        public static int Rows => 64;
        public static int Columns => 64;
        public static int WarpRows => 32;
        public static int Warps => 4;
        public static int MinBlocks => 3;
        public static int Registers => 128;
        public static bool AnyWidth => true;
        public static void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForAccumulators<TStep>(ref TStep step) where TStep : struct, IStep => Twice<Twice<Twice<N1>>>.For(ref step);
        public static void ForLeftCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForRightCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
    }

    /// <summary>
    /// How an operand lies in memory, and so in shared memory. "Outer" is the axis that is not the depth: rows of the left
    /// operand, columns of the right one. 16-byte chunks are swizzled, so that the eight rows that ldmatrix reads at once lie in
    /// different banks.
    /// </summary>
    internal interface ILayout
    {
        /// <summary>Whether neighbours in memory are neighbours in depth.</summary>
        static abstract bool AlongDepth { get; }
    }

    /// <summary>[outer, depth]: neighbours differ in depth.</summary>
    internal readonly struct DepthInner : ILayout
    {
        public static bool AlongDepth => true;
    }

    /// <summary>[depth, outer]: neighbours differ in the outer index.</summary>
    internal readonly struct DepthOuter : ILayout
    {
        public static bool AlongDepth => false;
    }

    /// <summary>The kernel of a tile, layouts, epilogue and types of operands and result.</summary>
    public static GpuKernel Find(Type tile, Type left, Type right, Type epilogue, ElementType operands, ElementType result)
    {
        Type[] types = [tile, left, right, epilogue, operands.Format(), result.Numbers()];
        lock (Found)
        {
            var key = (tile, left, right, epilogue, operands, result);
            if (!Found.TryGetValue(key, out GpuKernel? kernel))
                Found.Add(key, kernel = (GpuKernel)typeof(TensorCoreProduct)
                    .GetMethod(nameof(Make), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types).Invoke(null, null)!);
            return kernel;
        }
    }

    private static GpuKernel Make<TTile, TLeft, TRight, TEpilogue, TFormat, TC>()
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout
        where TEpilogue : struct, IGpuEpilogue where TFormat : struct, IFormat where TC : struct, INumbers
    {
        int rowFragments = TTile.WarpRows / 16, columnFragments = WarpColumns / 16, threads = TTile.Warps * 32;
        int copies = (TTile.Rows + TTile.Columns) * Depth / 8 / threads;
        return new GpuKernel(typeof(TensorCoreProduct).GetMethod(nameof(Run), BindingFlags.Static | BindingFlags.NonPublic)!
                .MakeGenericMethod(typeof(TTile), typeof(TLeft), typeof(TRight), typeof(TEpilogue), typeof(TFormat), typeof(TC)),
            GpuKernel.NameOf("MatMul", typeof(TTile), typeof(TLeft), typeof(TRight), typeof(TEpilogue), typeof(TFormat), typeof(TC)),
            threads, TTile.MinBlocks, TTile.Registers, Stages * (TTile.Rows + TTile.Columns) * Depth * 2, GpuTarget.TensorCores)
        {
            // Two steps of depth; the copies stand once in the loop and once for each stage that is filled before it.
            Instructions = (2 * rowFragments * columnFragments * 2, 2 * (rowFragments + columnFragments), copies * Stages),
        };
    }

    // Byte offset in a stage of a 16-byte chunk, given by its row and place in the row.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Swizzled<TLayout>(int outer, int row, int chunk) where TLayout : struct, ILayout =>
        TLayout.AlongDepth ? row * (Depth * 2) + ((chunk ^ (row >> 1 & 3)) << 4) : row * (outer * 2) + ((chunk ^ (row & 7)) << 4);

    // Bytes of a line in a stage: a row or column of the result's, or one of depth.
    private static int LineBytes<TLayout>(int outer) where TLayout : struct, ILayout => (TLayout.AlongDepth ? Depth : outer) * 2;

    // Byte of a stage at which a lane's address for the left operand's first fragment lies, in the layout of Gpu.Mma.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LeftPlace<TLayout>(int outer, int warpRow, int lane) where TLayout : struct, ILayout => TLayout.AlongDepth
        ? Swizzled<TLayout>(outer, warpRow + (lane & 15), lane >> 4)
        : Swizzled<TLayout>(outer, (lane & 7) + (lane >> 4 << 3), (warpRow >> 3) + (lane >> 3 & 1));

    // As LeftPlace, of the right operand.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int RightPlace<TLayout>(int outer, int warpColumn, int lane) where TLayout : struct, ILayout => TLayout.AlongDepth
        ? Swizzled<TLayout>(outer, warpColumn + (lane & 7) + (lane >> 4 << 3), lane >> 3 & 1)
        : Swizzled<TLayout>(outer, lane & 15, (warpColumn >> 3) + (lane >> 4));

    // Fragments are 16 lines or two chunks apart. Lines are added, as the swizzle repeats after eight of them; chunks change bits of
    // their own, which the swizzle only inverts.
    private struct FragmentStep<TLayout> : IStep where TLayout : struct, ILayout
    {
        public ArrayView<U4> Fragments;
        public int Stage, Place, Outer, Half;

        public void Step(int index)
        {
            int lines = 16 * LineBytes<TLayout>(Outer);
            Fragments[index] = TLayout.AlongDepth
                ? Gpu.LoadMatrices(Stage + (Place ^ (Half << 5)) + index * lines)
                : Gpu.LoadMatricesTransposed(Stage + (Place ^ (index << 5)) + Half * lines);
        }
    }

    private struct MultiplyStep<TTile, TFormat> : IStep where TTile : struct, ITile where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;

        public void Step(int index)
        {
            int columns = WarpColumns / 8, i = index / columns, j = index % columns;
            U4 b = Right[j >> 1];
            Sums[index] = (j & 1) == 0 ? TFormat.Mma(Sums[index], Left[i], b.X, b.Y) : TFormat.Mma(Sums[index], Left[i], b.Z, b.W);
        }
    }

    private struct DepthStep<TTile, TLeft, TRight, TFormat> : IStep
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;
        public int StageLeft, StageRight, PlaceLeft, PlaceRight;

        public void Step(int index)
        {
            FragmentStep<TRight> right;
            (right.Fragments, right.Stage, right.Place, right.Outer, right.Half) = (Right, StageRight, PlaceRight, TTile.Columns, index);
            Twice<N1>.For(ref right);
            FragmentStep<TLeft> left;
            (left.Fragments, left.Stage, left.Place, left.Outer, left.Half) = (Left, StageLeft, PlaceLeft, TTile.Rows, index);
            TTile.ForRowFragments(ref left);
            MultiplyStep<TTile, TFormat> multiply;
            (multiply.Sums, multiply.Left, multiply.Right) = (Sums, Left, Right);
            TTile.ForAccumulators(ref multiply);
        }
    }

    private struct ZeroStep : IStep
    {
        public ArrayView<F4> Sums;

        public void Step(int index) => Sums[index] = default;
    }

    private struct StoreStep<TEpilogue, TC> : IStep where TEpilogue : struct, IGpuEpilogue where TC : struct, INumbers
    {
        public ArrayView<F4> Sums;
        public ProductTarget<TEpilogue, TC> Result;

        public void Step(int index) =>
            Result.Store(index * 16, 0, Sums[index * 4], Sums[index * 4 + 1], Sums[index * 4 + 2], Sums[index * 4 + 3]);
    }

    // Starts the copies of one stage; beyond the depth they only write zeros, and the group is there all the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill<TTile, TLeft, TRight, TFormat>(ref OperandCopies<TLeft, TFormat> left,
        ref OperandCopies<TRight, TFormat> right, int stage, int leftBytes)
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout where TFormat : struct, IFormat
    {
        OperandCopies<TLeft, TFormat>.CopyStep copyLeft = left.Next(stage);
        TTile.ForLeftCopies(ref copyLeft);
        OperandCopies<TRight, TFormat>.CopyStep copyRight = right.Next(stage + leftBytes);
        TTile.ForRightCopies(ref copyRight);
        Gpu.CommitCopies();
    }

    // The launch: x and y are the tiles' columns and rows, z is the product of a batch, cut further into slices of the depth.
    private static void Run<TTile, TLeft, TRight, TEpilogue, TFormat, TC>(Halves<TFormat> a, Halves<TFormat> b, TC c, Floats bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int sliceDepth, long sliceStride, float scale, int accumulate, int wide)
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout
        where TEpilogue : struct, IGpuEpilogue where TFormat : struct, IFormat where TC : struct, INumbers
    {
        ArrayView<F4> sums = LocalMemory.Allocate<F4>(TTile.WarpRows * WarpColumns / 128);
        ArrayView<U4> leftFragments = LocalMemory.Allocate<U4>(TTile.WarpRows / 16),
            rightFragments = LocalMemory.Allocate<U4>(WarpColumns / 16);
        int shared = Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int leftBytes = TTile.Rows * Depth * 2, stageBytes = leftBytes + TTile.Columns * Depth * 2, ringBytes = stageBytes * Stages;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, across = TTile.Columns / WarpColumns;
        int warpRow = warp / across * TTile.WarpRows, warpColumn = warp % across * WarpColumns;
        int firstRow = Grid.IdxY * TTile.Rows, firstColumn = Grid.IdxX * TTile.Columns;
        int batch = Grid.IdxZ / slices, slice = Grid.IdxZ - batch * slices;
        int firstDepth = slice * sliceDepth, depthEnd = IntrinsicMath.Min(depth, firstDepth + sliceDepth);

        OperandCopies<TLeft, TFormat> left = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.Rows, Depth);
        left.PlaceAt(Swizzled<TLeft>(TTile.Rows, left.Line, left.Chunk), LineBytes<TLeft>(TTile.Rows));
        OperandCopies<TLeft, TFormat>.OffsetStep leftOffsets =
            left.Begin(new Halves<TFormat>(a.At(batch * strideA)), leadingA, firstRow, rows, firstDepth, depthEnd);
        TTile.ForLeftCopies(ref leftOffsets);
        OperandCopies<TRight, TFormat> right = new(LocalMemory.Allocate<int>(2), thread, TTile.Warps * 32, TTile.Columns, Depth);
        right.PlaceAt(Swizzled<TRight>(TTile.Columns, right.Line, right.Chunk), LineBytes<TRight>(TTile.Columns));
        OperandCopies<TRight, TFormat>.OffsetStep rightOffsets =
            right.Begin(new Halves<TFormat>(b.At(batch * strideB)), leadingB, firstColumn, columns, firstDepth, depthEnd);
        TTile.ForRightCopies(ref rightOffsets);

        Fill<TTile, TLeft, TRight, TFormat>(ref left, ref right, shared, leftBytes);
        Fill<TTile, TLeft, TRight, TFormat>(ref left, ref right, shared + stageBytes, leftBytes);
        ZeroStep zero;
        zero.Sums = sums;
        TTile.ForAccumulators(ref zero);

        DepthStep<TTile, TLeft, TRight, TFormat> step;
        (step.Sums, step.Left, step.Right) = (sums, leftFragments, rightFragments);
        step.PlaceLeft = LeftPlace<TLeft>(TTile.Rows, warpRow, lane);
        step.PlaceRight = RightPlace<TRight>(TTile.Columns, warpColumn, lane);
        int reading = 0, writing = 2 * stageBytes;
        for (int at = firstDepth; at < depthEnd; at += Depth)
        {
            Gpu.AwaitAllCopiesButOne();
            // Everybody's part of this stage is there, and nobody still reads the stage that is filled next.
            Group.Barrier();
            Fill<TTile, TLeft, TRight, TFormat>(ref left, ref right, shared + writing, leftBytes);
            step.StageLeft = shared + reading;
            step.StageRight = shared + reading + leftBytes;
            Twice<N1>.For(ref step);
            reading = reading + stageBytes == ringBytes ? 0 : reading + stageBytes;
            writing = writing + stageBytes == ringBytes ? 0 : writing + stageBytes;
        }
        // The zeros from beyond the depth: shared memory is not given back while something is on its way there.
        Gpu.AwaitAllCopies();

        StoreStep<TEpilogue, TC> store;
        store.Sums = sums;
        store.Result = new ProductTarget<TEpilogue, TC>(c, bias, extra, rows, columns, leadingC, scale, accumulate,
            TTile.AnyWidth ? wide : 1);
        store.Result.Begin(batch * strideC + slice * sliceStride, firstRow + warpRow, firstColumn + warpColumn, lane);
        TTile.ForRowFragments(ref store);
    }
}
