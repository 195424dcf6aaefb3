using System.Reflection;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product of a 16-bit format on Hopper's tensor cores, fp32 sums: what <see cref="TensorCoreProduct"/> does, with
/// products of whole warpgroups that read shared memory themselves. Two of them compute a tile of 128 x 256, 64 rows each.
/// Of four stages of shared memory one is multiplied, the one before it may still be, and two are on their way. A multiprocessor has
/// room for one block, which therefore goes on from tile to tile: while it stores one, the next one's stages are already on their way.
/// </summary>
internal static class WarpgroupProduct
{
    /// <summary>Rows of the result that a block computes.</summary>
    public const int Rows = Warpgroups * Wgmma.Rows;

    /// <summary>Columns of the result that a block computes.</summary>
    public const int Columns = Wgmma.Columns;

    /// <summary>Depth of a stage.</summary>
    public const int Depth = Wgmma.BlockDepth;

    private const int Warpgroups = 2, Threads = Warpgroups * 128, Stages = 4, Ahead = 2;
    private const int LeftBytes = Rows * Depth * 2, StageBytes = LeftBytes + Columns * Depth * 2, Registers = 248;

    private static readonly Dictionary<(Type, Type, Type, ElementType, ElementType), GpuKernel> Found = [];

    /// <summary>The kernel of layouts (see <see cref="TensorCoreProduct.ILayout"/>), epilogue and types of operands and result.</summary>
    public static GpuKernel Find(Type left, Type right, Type epilogue, ElementType operands, ElementType result)
    {
        Type[] types = [left, right, epilogue, operands.Format(), result.Numbers()];
        lock (Found)
        {
            var key = (left, right, epilogue, operands, result);
            if (!Found.TryGetValue(key, out GpuKernel? kernel))
                Found.Add(key, kernel = new GpuKernel(
                    typeof(WarpgroupProduct).GetMethod(nameof(Run), BindingFlags.Static | BindingFlags.NonPublic)!.MakeGenericMethod(types),
                    GpuKernel.NameOf("MatMul wgmma", types), Threads, 1, Registers, Stages * StageBytes + Wgmma.Alignment, GpuTarget.Hopper)
                {
                    // The copies stand once in the loop and once before it.
                    Instructions = (Depth / Wgmma.Depth, 0, StageBytes / 16 / Threads * 2),
                });
            return kernel;
        }
    }

    /// <summary>How a product is cut into tiles; with the depth's slices, each layer of a batch has them all.</summary>
    private struct Tiles
    {
        public int Rows, Columns, Depth, Slices, SliceDepth;

        // The tile in hand, from the last call of MoveTo.
        public int FirstRow, FirstColumn, Batch, Slice, FirstDepth, DepthEnd;

        /// <summary>Goes to a tile by its number, along the columns first, so that blocks at work share rows in the L2 cache.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void MoveTo(int tile)
        {
            int across = (int)((uint)(Columns + WarpgroupProduct.Columns - 1) / WarpgroupProduct.Columns);
            int down = (int)((uint)(Rows + WarpgroupProduct.Rows - 1) / WarpgroupProduct.Rows);
            int band = tile / across, layer = band / down;
            FirstColumn = (tile - band * across) * WarpgroupProduct.Columns;
            FirstRow = (band - layer * down) * WarpgroupProduct.Rows;
            Batch = layer / Slices;
            Slice = layer - Batch * Slices;
            FirstDepth = Slice * SliceDepth;
            DepthEnd = IntrinsicMath.Min(Depth, FirstDepth + SliceDepth);
        }
    }

    /// <summary>The copies of a block's tiles, stage by stage.</summary>
    private struct Supply<TLeft, TRight, TFormat>
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat
    {
        public OperandCopies<TLeft, TFormat> Left;
        public OperandCopies<TRight, TFormat> Right;
        public Halves<TFormat> A, B;
        public int LeadingA, LeadingB, Tile, TileEnd, Remaining;
        public long StrideA, StrideB;
        public Tiles Tiles;

        /// <summary>Starts the copies of the next stage; past the last tile they write zeros, and the group is there too.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Fill(int stage)
        {
            if (Remaining <= 0)
                Begin();
            OperandCopies<TLeft, TFormat>.CopyStep left = Left.Next(stage);
            Twice<Twice<N1>>.For(ref left);
            OperandCopies<TRight, TFormat>.CopyStep right = Right.Next(stage + LeftBytes);
            Twice<Twice<Twice<N1>>>.For(ref right);
            Gpu.CommitCopies();
            Remaining -= Depth;
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
            OperandCopies<TLeft, TFormat>.OffsetStep left = Left.Begin(new Halves<TFormat>(A.At(Tiles.Batch * StrideA)), LeadingA,
                Tiles.FirstRow, Tiles.Rows, Tiles.FirstDepth, Tiles.DepthEnd);
            Twice<Twice<N1>>.For(ref left);
            OperandCopies<TRight, TFormat>.OffsetStep right = Right.Begin(new Halves<TFormat>(B.At(Tiles.Batch * StrideB)), LeadingB,
                Tiles.FirstColumn, Tiles.Columns, Tiles.FirstDepth, Tiles.DepthEnd);
            Twice<Twice<Twice<N1>>>.For(ref right);
            Remaining = Tiles.DepthEnd - Tiles.FirstDepth;
            Tile += Grid.DimX;
        }
    }

    private struct MultiplyStep<TLeft, TRight, TFormat> : IStep
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat
    {
        public long Left, Right;
        public int Accumulate;

        public void Step(int index) => TFormat.Wgmma(Left + index * Wgmma.NextDepth(TLeft.AlongDepth),
            Right + index * Wgmma.NextDepth(TRight.AlongDepth), index > 0 ? 1 : Accumulate, TLeft.AlongDepth ? 0 : 1,
            TRight.AlongDepth ? 0 : 1);
    }

    private struct StoreStep<TEpilogue, TC> : IStep where TEpilogue : struct, IGpuEpilogue where TC : struct, INumbers
    {
        public ProductTarget<TEpilogue, TC> Result;

        public void Step(int index) => Result.Store(0, index * 32, Read(index * 4), Read(index * 4 + 1), Read(index * 4 + 2),
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
    private static void Place<TLayout, TFormat>(ref OperandCopies<TLayout, TFormat> copies)
        where TLayout : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat =>
        copies.PlaceAt((copies.Chunk >> 3) * Wgmma.Block + Wgmma.Swizzled(copies.Line, copies.Chunk & 7), Wgmma.Line);

    // The launch: as many blocks as there is room for, each of which takes every so many-th of the tiles.
    private static void Run<TLeft, TRight, TEpilogue, TFormat, TC>(Halves<TFormat> a, Halves<TFormat> b, TC c, Floats bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int sliceDepth, long sliceStride, float scale, int accumulate, int tiles)
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout
        where TEpilogue : struct, IGpuEpilogue where TFormat : struct, IFormat where TC : struct, INumbers
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart(), thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        Tiles current = default;
        (current.Rows, current.Columns, current.Depth, current.Slices, current.SliceDepth) = (rows, columns, depth, slices, sliceDepth);
        Supply<TLeft, TRight, TFormat> supply = default;
        supply.Left = new(LocalMemory.Allocate<int>(Rows * Depth / 8 / Threads), thread, Threads, Rows, Depth);
        Place(ref supply.Left);
        supply.Right = new(LocalMemory.Allocate<int>(Columns * Depth / 8 / Threads), thread, Threads, Columns, Depth);
        Place(ref supply.Right);
        (supply.A, supply.LeadingA, supply.StrideA) = (a, leadingA, strideA);
        (supply.B, supply.LeadingB, supply.StrideB) = (b, leadingB, strideB);
        (supply.Tile, supply.TileEnd, supply.Tiles) = (Grid.IdxX, tiles, current);
        for (int stage = 0; stage < Ahead; stage++)
            supply.Fill(shared + stage * StageBytes);

        Wgmma.Clear();
        MultiplyStep<TLeft, TRight, TFormat> multiply;
        StoreStep<TEpilogue, TC> store;
        store.Result = new ProductTarget<TEpilogue, TC>(c, bias, extra, rows, columns, leadingC, scale, accumulate, wide: 1);
        // Neighbouring stages differ in the descriptors' addresses alone.
        long left = Wgmma.Descriptor(shared + (warp >> 2) * Wgmma.Block), right = Wgmma.Descriptor(shared + LeftBytes);
        int reading = 0, writing = Ahead * StageBytes;
        for (int tile = Grid.IdxX; tile < tiles; tile += Grid.DimX)
        {
            current.MoveTo(tile);
            for (int at = current.FirstDepth; at < current.DepthEnd; at += Depth)
            {
                Gpu.AwaitAllCopiesButOne();
                Wgmma.PublishShared();
                // Everybody's part of this stage is there, and everybody has waited for the products of the stage before last,
                // which is filled next.
                Group.Barrier();
                Wgmma.Fence();
                (multiply.Left, multiply.Right) = (left + Wgmma.Ahead(reading), right + Wgmma.Ahead(reading));
                multiply.Accumulate = at - current.FirstDepth;
                Twice<Twice<N1>>.For(ref multiply);
                Wgmma.Commit();
                supply.Fill(shared + writing);
                Wgmma.AwaitAllButOne();
                reading = reading + StageBytes == Stages * StageBytes ? 0 : reading + StageBytes;
                writing = writing + StageBytes == Stages * StageBytes ? 0 : writing + StageBytes;
            }
            Wgmma.AwaitAll();
            store.Result.Begin(current.Batch * strideC + current.Slice * sliceStride, current.FirstRow + warp * 16, current.FirstColumn,
                lane);
            Twice<Twice<Twice<N1>>>.For(ref store);
        }
        // The zeros from beyond the last tile: shared memory is not given back while something is on its way there.
        Gpu.AwaitAllCopies();
    }
}
