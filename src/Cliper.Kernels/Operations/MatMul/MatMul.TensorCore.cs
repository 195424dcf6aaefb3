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

        /// <summary>Columns that a warp computes.</summary>
        static abstract int WarpColumns { get; }

        /// <summary>Warps of a block.</summary>
        static abstract int Warps { get; }

        /// <summary>Blocks of a multiprocessor.</summary>
        static abstract int MinBlocks { get; }

        /// <summary>Most registers of a thread.</summary>
        static abstract int Registers { get; }

        /// <summary>Over the 16-row fragments of a warp.</summary>
        static abstract void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep;

        /// <summary>Over the 16-column fragments of a warp.</summary>
        static abstract void ForColumnFragments<TStep>(ref TStep step) where TStep : struct, IStep;

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
        public static int WarpColumns => 32;
        public static int Warps => 8;
        public static int MinBlocks => 2;
        public static int Registers => 128;
        public static void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<Twice<N1>>.For(ref step);
        public static void ForColumnFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForAccumulators<TStep>(ref TStep step) where TStep : struct, IStep =>
            Twice<Twice<Twice<Twice<N1>>>>.For(ref step);
        public static void ForLeftCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForRightCopies<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
    }

    /// <summary>64 x 64: for results with few large tiles.</summary>
    internal readonly struct Small : ITile
    {
        public static int Rows => 64;
        public static int Columns => 64;
        public static int WarpRows => 32;
        public static int WarpColumns => 32;
        public static int Warps => 4;
        public static int MinBlocks => 3;
        public static int Registers => 128;
        public static void ForRowFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
        public static void ForColumnFragments<TStep>(ref TStep step) where TStep : struct, IStep => Twice<N1>.For(ref step);
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
        int rowFragments = TTile.WarpRows / 16, columnFragments = TTile.WarpColumns / 16, threads = TTile.Warps * 32;
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

    internal struct CopyStep<TLayout, TFormat> : IStep where TLayout : struct, ILayout where TFormat : struct, IFormat
    {
        public Halves<TFormat> Source;
        public int Shared, Outer, FirstOuter, OuterEnd, Leading, FirstDepth, DepthEnd, Thread, Threads;

        public void Step(int index)
        {
            int at = Thread + index * Threads;
            int perRow = TLayout.AlongDepth ? Depth / 8 : Outer / 8;
            int row = at / perRow, chunk = at % perRow;
            Copy(row, chunk, Shared + Swizzled<TLayout>(Outer, row, chunk));
        }

        /// <summary>Starts copying a chunk, given by its row and its place in the row, to an address.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Copy(int row, int chunk, int shared)
        {
            // Rows and columns of memory, whichever of the two the depth is.
            int r = (TLayout.AlongDepth ? FirstOuter : FirstDepth) + row, c = (TLayout.AlongDepth ? FirstDepth : FirstOuter) + chunk * 8;
            int rowEnd = TLayout.AlongDepth ? OuterEnd : DepthEnd, columnEnd = TLayout.AlongDepth ? DepthEnd : OuterEnd;
            int valid = r < rowEnd ? IntrinsicMath.Max(0, IntrinsicMath.Min(8, columnEnd - c)) * 2 : 0;
            long index64 = valid > 0 ? (long)r * Leading + c : 0;
            Gpu.CopyAsync(shared, Source.At(index64), valid);
        }
    }

    private struct LeftFragmentStep<TTile, TLayout> : IStep where TTile : struct, ITile where TLayout : struct, ILayout
    {
        public ArrayView<U4> Fragments;
        public int Shared, WarpRow, Lane, Half;

        public void Step(int index)
        {
            int first = WarpRow + index * 16;
            Fragments[index] = TLayout.AlongDepth
                ? Gpu.LoadMatrices(Shared + Swizzled<TLayout>(TTile.Rows, first + (Lane & 15), Half * 2 + (Lane >> 4)))
                : Gpu.LoadMatricesTransposed(Shared + Swizzled<TLayout>(TTile.Rows,
                    Half * 16 + (Lane & 7) + (Lane >> 4 << 3), (first >> 3) + (Lane >> 3 & 1)));
        }
    }

    private struct RightFragmentStep<TTile, TLayout> : IStep where TTile : struct, ITile where TLayout : struct, ILayout
    {
        public ArrayView<U4> Fragments;
        public int Shared, WarpColumn, Lane, Half;

        public void Step(int index)
        {
            int first = WarpColumn + index * 16;
            Fragments[index] = TLayout.AlongDepth
                ? Gpu.LoadMatrices(Shared + Swizzled<TLayout>(TTile.Columns,
                    first + (Lane & 7) + (Lane >> 4 << 3), Half * 2 + (Lane >> 3 & 1)))
                : Gpu.LoadMatricesTransposed(Shared + Swizzled<TLayout>(TTile.Columns,
                    Half * 16 + (Lane & 15), (first >> 3) + (Lane >> 4)));
        }
    }

    private struct MultiplyStep<TTile, TFormat> : IStep where TTile : struct, ITile where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;

        public void Step(int index)
        {
            int columns = TTile.WarpColumns / 8, i = index / columns, j = index % columns;
            U4 b = Right[j >> 1];
            Sums[index] = (j & 1) == 0 ? TFormat.Mma(Sums[index], Left[i], b.X, b.Y) : TFormat.Mma(Sums[index], Left[i], b.Z, b.W);
        }
    }

    private struct DepthStep<TTile, TLeft, TRight, TFormat> : IStep
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout where TFormat : struct, IFormat
    {
        public ArrayView<F4> Sums;
        public ArrayView<U4> Left, Right;
        public int SharedLeft, SharedRight, WarpRow, WarpColumn, Lane;

        public void Step(int index)
        {
            RightFragmentStep<TTile, TRight> right;
            (right.Fragments, right.Shared, right.WarpColumn, right.Lane, right.Half) = (Right, SharedRight, WarpColumn, Lane, index);
            TTile.ForColumnFragments(ref right);
            LeftFragmentStep<TTile, TLeft> left;
            (left.Fragments, left.Shared, left.WarpRow, left.Lane, left.Half) = (Left, SharedLeft, WarpRow, Lane, index);
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

    private struct StoreStep<TTile, TEpilogue, TC> : IStep
        where TTile : struct, ITile where TEpilogue : struct, IGpuEpilogue where TC : struct, INumbers
    {
        public ArrayView<F4> Sums;
        public Target<TEpilogue, TC> Result;

        public void Step(int index)
        {
            int columns = TTile.WarpColumns / 8;
            Result.Store(index / columns * 16, index % columns * 8, Sums[index]);
        }
    }

    /// <summary>Where a thread's sums go, and what becomes of them on the way.</summary>
    internal struct Target<TEpilogue, TC> where TEpilogue : struct, IGpuEpilogue where TC : struct, INumbers
    {
        public TC C, Extra;
        public Floats Bias;
        public long First;
        public int Row, Column, Rows, Columns, Leading, Accumulate;
        public float Scale;

        /// <summary>Stores the thread's part of a 16 x 8 accumulator, so many rows and columns from its first.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Store(int down, int across, F4 sum)
        {
            int row = Row + down, column = Column + across;
            if (column >= Columns)
                return;
            if (row < Rows)
                Store(row, column, sum.X, sum.Y);
            if (row + 8 < Rows)
                Store(row + 8, column, sum.Z, sum.W);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Store(int row, int column, float first, float second)
        {
            long at = First + (long)row * Leading + column, extraAt = (long)row * Columns + column;
            F2 value;
            (value.X, value.Y) = (first * Scale, second * Scale);
            if (Accumulate != 0)
            {
                F2 before = C.Load2(at);
                value.X += before.X;
                value.Y += before.Y;
            }
            if (TEpilogue.ReadsBias && !Bias.IsNull)
            {
                value.X += Bias.Load(column);
                value.Y += Bias.Load(column + 1);
            }
            if (TEpilogue.WritesExtra && !Extra.IsNull)
                Extra.Store2(extraAt, value);
            F2 extra = default;
            if (TEpilogue.ReadsExtra)
                extra = Extra.Load2(extraAt);
            value.X = TEpilogue.Apply(value.X, extra.X);
            value.Y = TEpilogue.Apply(value.Y, extra.Y);
            C.Store2(at, value);
        }
    }

    // Starts the copies of one stage; beyond the depth they only write zeros, and the group is there all the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill<TTile, TLeft, TRight, TFormat>(CopyStep<TLeft, TFormat> left, CopyStep<TRight, TFormat> right, int shared,
        int leftBytes, int firstDepth)
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout where TFormat : struct, IFormat
    {
        (left.Shared, left.FirstDepth) = (shared, firstDepth);
        TTile.ForLeftCopies(ref left);
        (right.Shared, right.FirstDepth) = (shared + leftBytes, firstDepth);
        TTile.ForRightCopies(ref right);
        Gpu.CommitCopies();
    }

    // The launch: x and y are the tiles' columns and rows, z is the product of a batch, cut further into slices of the depth.
    private static void Run<TTile, TLeft, TRight, TEpilogue, TFormat, TC>(Halves<TFormat> a, Halves<TFormat> b, TC c, Floats bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int sliceDepth, long sliceStride, float scale, int accumulate)
        where TTile : struct, ITile where TLeft : struct, ILayout where TRight : struct, ILayout
        where TEpilogue : struct, IGpuEpilogue where TFormat : struct, IFormat where TC : struct, INumbers
    {
        ArrayView<F4> sums = LocalMemory.Allocate<F4>(TTile.WarpRows * TTile.WarpColumns / 128);
        ArrayView<U4> left = LocalMemory.Allocate<U4>(TTile.WarpRows / 16), right = LocalMemory.Allocate<U4>(TTile.WarpColumns / 16);
        int shared = Gpu.SharedAddress(ref SharedMemory.GetDynamic<U4>()[0]);
        int leftBytes = TTile.Rows * Depth * 2, stageBytes = leftBytes + TTile.Columns * Depth * 2, ringBytes = stageBytes * Stages;
        int thread = Group.IdxX, lane = thread & 31, warp = thread >> 5, across = TTile.Columns / TTile.WarpColumns;
        int batch = Grid.IdxZ / slices, slice = Grid.IdxZ - batch * slices;
        int firstDepth = slice * sliceDepth, depthEnd = IntrinsicMath.Min(depth, firstDepth + sliceDepth);

        CopyStep<TLeft, TFormat> copyLeft = default;
        copyLeft.Source = new Halves<TFormat>(a.At(batch * strideA));
        (copyLeft.Outer, copyLeft.FirstOuter, copyLeft.OuterEnd) = (TTile.Rows, Grid.IdxY * TTile.Rows, rows);
        (copyLeft.Leading, copyLeft.DepthEnd, copyLeft.Thread, copyLeft.Threads) = (leadingA, depthEnd, thread, TTile.Warps * 32);
        CopyStep<TRight, TFormat> copyRight = default;
        copyRight.Source = new Halves<TFormat>(b.At(batch * strideB));
        (copyRight.Outer, copyRight.FirstOuter, copyRight.OuterEnd) = (TTile.Columns, Grid.IdxX * TTile.Columns, columns);
        (copyRight.Leading, copyRight.DepthEnd, copyRight.Thread, copyRight.Threads) = (leadingB, depthEnd, thread, TTile.Warps * 32);

        Fill<TTile, TLeft, TRight, TFormat>(copyLeft, copyRight, shared, leftBytes, firstDepth);
        Fill<TTile, TLeft, TRight, TFormat>(copyLeft, copyRight, shared + stageBytes, leftBytes, firstDepth + Depth);
        ZeroStep zero;
        zero.Sums = sums;
        TTile.ForAccumulators(ref zero);

        DepthStep<TTile, TLeft, TRight, TFormat> step;
        (step.Sums, step.Left, step.Right) = (sums, left, right);
        (step.WarpRow, step.WarpColumn, step.Lane) = (warp / across * TTile.WarpRows, warp % across * TTile.WarpColumns, lane);
        int reading = 0, writing = 2 * stageBytes;
        for (int at = firstDepth; at < depthEnd; at += Depth)
        {
            Gpu.AwaitAllCopiesButOne();
            // Everybody's part of this stage is there, and nobody still reads the stage that is filled next.
            Group.Barrier();
            Fill<TTile, TLeft, TRight, TFormat>(copyLeft, copyRight, shared + writing, leftBytes, at + 2 * Depth);
            step.SharedLeft = shared + reading;
            step.SharedRight = shared + reading + leftBytes;
            Twice<N1>.For(ref step);
            reading = reading + stageBytes == ringBytes ? 0 : reading + stageBytes;
            writing = writing + stageBytes == ringBytes ? 0 : writing + stageBytes;
        }

        StoreStep<TTile, TEpilogue, TC> store;
        store.Sums = sums;
        store.Result = default;
        (store.Result.C, store.Result.Bias, store.Result.Extra) = (c, bias, extra);
        store.Result.First = batch * strideC + slice * sliceStride;
        store.Result.Row = Grid.IdxY * TTile.Rows + step.WarpRow + (lane >> 2);
        store.Result.Column = Grid.IdxX * TTile.Columns + step.WarpColumn + (lane & 3) * 2;
        (store.Result.Rows, store.Result.Columns, store.Result.Leading) = (rows, columns, leadingC);
        (store.Result.Scale, store.Result.Accumulate) = (scale, accumulate);
        TTile.ForAccumulators(ref store);
    }
}
