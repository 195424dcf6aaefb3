using System.Reflection;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product of a 16-bit format on Hopper's tensor cores, fp32 sums: what <see cref="TensorCoreProduct"/> does, with
/// products of whole warpgroups that read shared memory themselves. A block of two computes 128 x 256 of the result, 64 rows each.
/// Of four stages of shared memory one is multiplied, the one before it may still be, and two are on their way.
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
                    // The copies stand once in the loop and once for each stage that is filled before it.
                    Instructions = (Depth / Wgmma.Depth, 0, StageBytes / 16 / Threads * (1 + Ahead)),
                });
            return kernel;
        }
    }

    private struct CopyStep<TLayout, TFormat> : IStep where TLayout : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat
    {
        public TensorCoreProduct.CopyStep<TLayout, TFormat> Operand;

        public void Step(int index)
        {
            int at = Operand.Thread + index * Threads;
            // Blocks of eight chunks a line: one below the other where lines run along the depth, else side by side.
            int perRow = TLayout.AlongDepth ? Depth / 8 : Operand.Outer / 8;
            int row = at / perRow, chunk = at % perRow;
            Operand.Copy(row, chunk, Operand.Shared + chunk / 8 * Wgmma.Block + Wgmma.Swizzled(row, chunk & 7));
        }
    }

    private struct MultiplyStep<TLeft, TRight, TFormat> : IStep
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat
    {
        public long Left, Right;

        public void Step(int index) => TFormat.Wgmma(Left + index * Wgmma.NextDepth(TLeft.AlongDepth),
            Right + index * Wgmma.NextDepth(TRight.AlongDepth), TLeft.AlongDepth ? 0 : 1, TRight.AlongDepth ? 0 : 1);
    }

    private struct ClearStep : IStep
    {
        public void Step(int index) => Wgmma.Clear(index);
    }

    private struct StoreStep<TEpilogue, TC> : IStep where TEpilogue : struct, IGpuEpilogue where TC : struct, INumbers
    {
        public TensorCoreProduct.Target<TEpilogue, TC> Result;

        public void Step(int index)
        {
            F4 sum;
            (sum.X, sum.Y) = (Wgmma.Read(index * 4), Wgmma.Read(index * 4 + 1));
            (sum.Z, sum.W) = (Wgmma.Read(index * 4 + 2), Wgmma.Read(index * 4 + 3));
            Result.Store(0, index * 8, sum);
        }
    }

    // Starts the copies of one stage; beyond the depth they only write zeros, and the group is there all the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Fill<TLeft, TRight, TFormat>(CopyStep<TLeft, TFormat> left, CopyStep<TRight, TFormat> right, int shared,
        int firstDepth)
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout where TFormat : struct, IFormat
    {
        (left.Operand.Shared, left.Operand.FirstDepth) = (shared, firstDepth);
        Twice<Twice<N1>>.For(ref left);
        (right.Operand.Shared, right.Operand.FirstDepth) = (shared + LeftBytes, firstDepth);
        Twice<Twice<Twice<N1>>>.For(ref right);
        Gpu.CommitCopies();
    }

    // The launch is that of TensorCoreProduct.
    private static void Run<TLeft, TRight, TEpilogue, TFormat, TC>(Halves<TFormat> a, Halves<TFormat> b, TC c, Floats bias, TC extra,
        int rows, int columns, int depth, int leadingA, int leadingB, int leadingC, long strideA, long strideB, long strideC, int slices,
        int sliceDepth, long sliceStride, float scale, int accumulate)
        where TLeft : struct, TensorCoreProduct.ILayout where TRight : struct, TensorCoreProduct.ILayout
        where TEpilogue : struct, IGpuEpilogue where TFormat : struct, IFormat where TC : struct, INumbers
    {
        Wgmma.Declare();
        int shared = Wgmma.SharedStart(), thread = Group.IdxX, lane = thread & 31, warp = thread >> 5;
        int batch = Grid.IdxZ / slices, slice = Grid.IdxZ - batch * slices;
        int firstDepth = slice * sliceDepth, depthEnd = IntrinsicMath.Min(depth, firstDepth + sliceDepth);

        CopyStep<TLeft, TFormat> left = default;
        left.Operand.Source = new Halves<TFormat>(a.At(batch * strideA));
        (left.Operand.Outer, left.Operand.FirstOuter, left.Operand.OuterEnd) = (Rows, Grid.IdxY * Rows, rows);
        (left.Operand.Leading, left.Operand.DepthEnd, left.Operand.Thread) = (leadingA, depthEnd, thread);
        CopyStep<TRight, TFormat> right = default;
        right.Operand.Source = new Halves<TFormat>(b.At(batch * strideB));
        (right.Operand.Outer, right.Operand.FirstOuter, right.Operand.OuterEnd) = (Columns, Grid.IdxX * Columns, columns);
        (right.Operand.Leading, right.Operand.DepthEnd, right.Operand.Thread) = (leadingB, depthEnd, thread);

        Fill(left, right, shared, firstDepth);
        Fill(left, right, shared + StageBytes, firstDepth + Depth);
        ClearStep clear = default;
        Twice<Twice<Twice<Twice<Twice<Twice<Twice<N1>>>>>>>.For(ref clear);

        int reading = 0, writing = Ahead * StageBytes;
        for (int at = firstDepth; at < depthEnd; at += Depth)
        {
            Gpu.AwaitAllCopiesButOne();
            Wgmma.PublishShared();
            // Everybody's part of this stage is there, and everybody has waited for the products of the stage before last,
            // which is filled next.
            Group.Barrier();
            Wgmma.Fence();
            MultiplyStep<TLeft, TRight, TFormat> multiply;
            multiply.Left = Wgmma.Descriptor(shared + reading + (warp >> 2) * Wgmma.Block);
            multiply.Right = Wgmma.Descriptor(shared + reading + LeftBytes);
            Twice<Twice<N1>>.For(ref multiply);
            Wgmma.Commit();
            Fill(left, right, shared + writing, at + Ahead * Depth);
            Wgmma.AwaitAllButOne();
            reading = reading + StageBytes == Stages * StageBytes ? 0 : reading + StageBytes;
            writing = writing + StageBytes == Stages * StageBytes ? 0 : writing + StageBytes;
        }
        Wgmma.AwaitAll();

        StoreStep<TEpilogue, TC> store = default;
        (store.Result.C, store.Result.Bias, store.Result.Extra) = (c, bias, extra);
        store.Result.First = batch * strideC + slice * sliceStride;
        store.Result.Row = Grid.IdxY * Rows + warp * 16 + (lane >> 2);
        store.Result.Column = Grid.IdxX * Columns + (lane & 3) * 2;
        (store.Result.Rows, store.Result.Columns, store.Result.Leading) = (rows, columns, leadingC);
        (store.Result.Scale, store.Result.Accumulate) = (scale, accumulate);
        Twice<Twice<Twice<Twice<Twice<N1>>>>>.For(ref store);
    }
}
