using System.Runtime.CompilerServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product without tensor cores: any strides and sizes, fp32 or 16-bit operands. What older cards use for all products,
/// and every card for the small ones whose operands are fp32, such as features and logits.
/// </summary>
internal static class PortableProduct
{
    // A block of 16 x 16 threads computes 64 x 64 elements, each thread 4 x 4 of them, 16 of depth at a time.
    private const int Tile = 64, Depth = 16, Threads = 256, Row = Tile + 4;

    private static readonly KernelFamily Family = new(typeof(PortableProduct), nameof(Multiply), "MatMul portable", Threads, 2, 128);

    /// <summary>Multiplies.</summary>
    public static void Run(GpuDevice gpu, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC, int count,
        GpuEpilogue epilogue, bool accumulate, float scale) =>
        gpu.Run(Find(a.Data.Type, b.Data.Type, epilogue.Kind, c.Data.Type),
            new Blocks(Blocks.Cover(c.Columns, Tile), Blocks.Cover(c.Rows, Tile), count), a.Data, b.Data, c.Data, epilogue.Bias,
            epilogue.Extra, c.Rows, c.Columns, a.Columns, a.RowStride, a.ColumnStride, b.RowStride, b.ColumnStride, c.RowStride, strideA,
            strideB, strideC, scale, accumulate);

    /// <summary>The kernel of operand types, epilogue and type of result.</summary>
    public static GpuKernel Find(ElementType left, ElementType right, Type epilogue, ElementType result) =>
        Family[left.Numbers(), right.Numbers(), result.Numbers(), epilogue];

    private struct LoadStep<T> : IStep where T : struct, INumbers
    {
        public T Source;
        public ArrayView<float> Shared;
        public long First, OuterStride, DepthStride;
        public int FirstOuter, Outer, FirstDepth, DepthEnd, Thread;

        public void Step(int index)
        {
            int at = Thread + index * Threads;
            // Neighbouring threads read neighbours in memory.
            bool depthInner = DepthStride == 1;
            int outer = depthInner ? at / Depth : at % Tile, depth = depthInner ? at % Depth : at / Tile;
            int o = FirstOuter + outer, d = FirstDepth + depth;
            float value = 0;
            if (o < Outer && d < DepthEnd)
                value = Source.Load(First + o * OuterStride + d * DepthStride);
            Shared[depth * Row + outer] = value;
        }
    }

    private struct MultiplyStep : IStep
    {
        public ArrayView<float> Sums, Left, Right;

        public void Step(int index) => Sums[index] = Gpu.Fma(Left[index >> 2], Right[index & 3], Sums[index]);
    }

    private struct ReadStep : IStep
    {
        public ArrayView<float> Shared, Target;
        public int First;

        public void Step(int index) => Target[index] = Shared[First + index];
    }

    private struct ZeroStep : IStep
    {
        public ArrayView<float> Sums;

        public void Step(int index) => Sums[index] = 0;
    }

    private struct StoreStep<TC, TEpilogue> : IStep where TC : struct, INumbers where TEpilogue : struct, IGpuEpilogue
    {
        public ArrayView<float> Sums;
        public TC C, Extra;
        public Floats Bias;
        public long First, RowStride;
        public int FirstRow, FirstColumn, Rows, Columns, Accumulate;
        public float Scale;

        public void Step(int index)
        {
            int row = FirstRow + (index >> 2), column = FirstColumn + (index & 3);
            if (row >= Rows || column >= Columns)
                return;
            long at = First + row * RowStride + column, extraAt = (long)row * Columns + column;
            float value = Sums[index] * Scale;
            if (Accumulate != 0)
                value += C.Load(at);
            if (TEpilogue.ReadsBias && !Bias.IsNull)
                value += Bias.Load(column);
            if (TEpilogue.WritesExtra && !Extra.IsNull)
                Extra.Store(extraAt, value);
            float extra = 0;
            if (TEpilogue.ReadsExtra)
                extra = Extra.Load(extraAt);
            C.Store(at, TEpilogue.Apply(value, extra));
        }
    }

    private static void Multiply<TA, TB, TC, TEpilogue>(TA a, TB b, TC c, Floats bias, TC extra, int rows, int columns, int depth,
        long rowStrideA, long columnStrideA, long rowStrideB, long columnStrideB, long rowStrideC, long strideA, long strideB,
        long strideC, float scale, int accumulate)
        where TA : struct, INumbers where TB : struct, INumbers where TC : struct, INumbers where TEpilogue : struct, IGpuEpilogue
    {
        ArrayView<float> sharedA = SharedMemory.Allocate<float>(Depth * Row), sharedB = SharedMemory.Allocate<float>(Depth * Row);
        ArrayView<float> sums = LocalMemory.Allocate<float>(16), left = LocalMemory.Allocate<float>(4),
            right = LocalMemory.Allocate<float>(4);
        int thread = Group.IdxX, firstRow = Grid.IdxY * Tile, firstColumn = Grid.IdxX * Tile;
        long batch = Grid.IdxZ;
        ZeroStep zero;
        zero.Sums = sums;
        Twice<Twice<Twice<Twice<N1>>>>.For(ref zero);
        LoadStep<TA> loadA;
        (loadA.Source, loadA.Shared, loadA.First) = (a, sharedA, batch * strideA);
        (loadA.OuterStride, loadA.DepthStride, loadA.FirstOuter, loadA.Outer) = (rowStrideA, columnStrideA, firstRow, rows);
        (loadA.FirstDepth, loadA.DepthEnd, loadA.Thread) = (0, depth, thread);
        LoadStep<TB> loadB;
        (loadB.Source, loadB.Shared, loadB.First) = (b, sharedB, batch * strideB);
        (loadB.OuterStride, loadB.DepthStride, loadB.FirstOuter, loadB.Outer) = (columnStrideB, rowStrideB, firstColumn, columns);
        (loadB.FirstDepth, loadB.DepthEnd, loadB.Thread) = (0, depth, thread);
        for (int k = 0; k < depth; k += Depth)
        {
            (loadA.FirstDepth, loadB.FirstDepth) = (k, k);
            Twice<Twice<N1>>.For(ref loadA);
            Twice<Twice<N1>>.For(ref loadB);
            Group.Barrier();
            for (int d = 0; d < Depth; d++)
            {
                ReadStep readA, readB;
                (readA.Shared, readA.Target, readA.First) = (sharedA, left, d * Row + (thread >> 4) * 4);
                (readB.Shared, readB.Target, readB.First) = (sharedB, right, d * Row + (thread & 15) * 4);
                Twice<Twice<N1>>.For(ref readA);
                Twice<Twice<N1>>.For(ref readB);
                MultiplyStep multiply;
                (multiply.Sums, multiply.Left, multiply.Right) = (sums, left, right);
                Twice<Twice<Twice<Twice<N1>>>>.For(ref multiply);
            }
            Group.Barrier();
        }
        StoreStep<TC, TEpilogue> store;
        (store.Sums, store.C, store.Bias, store.Extra) = (sums, c, bias, extra);
        (store.First, store.RowStride, store.Rows, store.Columns) = (batch * strideC, rowStrideC, rows, columns);
        (store.FirstRow, store.FirstColumn) = (firstRow + (thread >> 4) * 4, firstColumn + (thread & 15) * 4);
        (store.Scale, store.Accumulate) = (scale, accumulate);
        Twice<Twice<Twice<Twice<N1>>>>.For(ref store);
    }
}
