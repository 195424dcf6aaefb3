using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The matrix product without tensor cores: any strides and sizes, fp32 or 16-bit operands. What older cards use for all products,
/// and every card for the small ones whose operands are fp32, such as features and logits.
/// </summary>
internal static class SimtGemm
{
    // A block of 16 x 16 threads computes 64 x 64 elements, each thread 4 x 4 of them, 16 of depth at a time.
    private const int Tile = 64, Depth = 16, Threads = 256, Row = Tile + 4;

    private static readonly KernelFamily Family = new(typeof(SimtGemm), nameof(Multiply), "Gemm simt", Threads, 2, 128);

    /// <summary>Multiplies.</summary>
    public static void Run(GpuDevice gpu, Matrix a, long strideA, Matrix b, long strideB, Matrix c, long strideC, int count,
        GpuEpilogue epilogue, bool accumulate, float scale) =>
        gpu.Run(Find(a.Data.Type, b.Data.Type, epilogue.Kind, c.Data.Type),
            new Blocks(Blocks.Cover(c.Columns, Tile), Blocks.Cover(c.Rows, Tile), count), a.Data, b.Data, c.Data, epilogue.Bias,
            epilogue.Extra, c.Rows, c.Columns, a.Columns, a.RowStride, a.ColumnStride, b.RowStride, b.ColumnStride, c.RowStride, strideA,
            strideB, strideC, scale, accumulate);

    /// <summary>The kernel of operand types, epilogue and type of result.</summary>
    public static GpuKernel Find(ElementType left, ElementType right, Type epilogue, ElementType result) =>
        Family[left.PointerType(), right.PointerType(), result.PointerType(), epilogue];

    private struct LoadBody<T> : IUnrolledBody where T : struct, IGlobalPtr
    {
        public T Source;
        public ArrayView<float> Shared;
        public long First, OuterStride, DepthStride;
        public int FirstOuter, Outer, FirstDepth, DepthEnd, Thread;

        public void Run(int index)
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

    private struct FmaBody : IUnrolledBody
    {
        public ArrayView<float> Sums, Left, Right;

        public void Run(int index) => Sums[index] = Ptx.Fma(Left[index >> 2], Right[index & 3], Sums[index]);
    }

    private struct ReadBody : IUnrolledBody
    {
        public ArrayView<float> Shared, Target;
        public int First;

        public void Run(int index) => Target[index] = Shared[First + index];
    }

    private struct ZeroBody : IUnrolledBody
    {
        public ArrayView<float> Sums;

        public void Run(int index) => Sums[index] = 0;
    }

    private struct StoreBody<TC, TEpilogue> : IUnrolledBody where TC : struct, IGlobalPtr where TEpilogue : struct, IGpuEpilogue
    {
        public ArrayView<float> Sums;
        public TC C, Extra;
        public GlobalPtrFp32 Bias;
        public long First, RowStride;
        public int FirstRow, FirstColumn, Rows, Columns, Accumulate;
        public float Scale;

        public void Run(int index)
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

    private static void Multiply<TA, TB, TC, TEpilogue>(TA a, TB b, TC c, GlobalPtrFp32 bias, TC extra, int rows, int columns, int depth,
        long rowStrideA, long columnStrideA, long rowStrideB, long columnStrideB, long rowStrideC, long strideA, long strideB,
        long strideC, float scale, int accumulate)
        where TA : struct, IGlobalPtr where TB : struct, IGlobalPtr where TC : struct, IGlobalPtr where TEpilogue : struct, IGpuEpilogue
    {
        ArrayView<float> sharedA = SharedMemory.Allocate<float>(Depth * Row), sharedB = SharedMemory.Allocate<float>(Depth * Row);
        ArrayView<float> sums = LocalMemory.Allocate<float>(16), left = LocalMemory.Allocate<float>(4),
            right = LocalMemory.Allocate<float>(4);
        int thread = Group.IdxX, firstRow = Grid.IdxY * Tile, firstColumn = Grid.IdxX * Tile;
        long batch = Grid.IdxZ;
        ZeroBody zero;
        zero.Sums = sums;
        Unroll16.For(ref zero);
        LoadBody<TA> loadA;
        (loadA.Source, loadA.Shared, loadA.First) = (a, sharedA, batch * strideA);
        (loadA.OuterStride, loadA.DepthStride, loadA.FirstOuter, loadA.Outer) = (rowStrideA, columnStrideA, firstRow, rows);
        (loadA.FirstDepth, loadA.DepthEnd, loadA.Thread) = (0, depth, thread);
        LoadBody<TB> loadB;
        (loadB.Source, loadB.Shared, loadB.First) = (b, sharedB, batch * strideB);
        (loadB.OuterStride, loadB.DepthStride, loadB.FirstOuter, loadB.Outer) = (columnStrideB, rowStrideB, firstColumn, columns);
        (loadB.FirstDepth, loadB.DepthEnd, loadB.Thread) = (0, depth, thread);
        for (int k = 0; k < depth; k += Depth)
        {
            (loadA.FirstDepth, loadB.FirstDepth) = (k, k);
            Unroll4.For(ref loadA);
            Unroll4.For(ref loadB);
            Group.Barrier();
            for (int d = 0; d < Depth; d++)
            {
                ReadBody readA, readB;
                (readA.Shared, readA.Target, readA.First) = (sharedA, left, d * Row + (thread >> 4) * 4);
                (readB.Shared, readB.Target, readB.First) = (sharedB, right, d * Row + (thread & 15) * 4);
                Unroll4.For(ref readA);
                Unroll4.For(ref readB);
                FmaBody multiply;
                (multiply.Sums, multiply.Left, multiply.Right) = (sums, left, right);
                Unroll16.For(ref multiply);
            }
            Group.Barrier();
        }
        StoreBody<TC, TEpilogue> store;
        (store.Sums, store.C, store.Bias, store.Extra) = (sums, c, bias, extra);
        (store.First, store.RowStride, store.Rows, store.Columns) = (batch * strideC, rowStrideC, rows, columns);
        (store.FirstRow, store.FirstColumn) = (firstRow + (thread >> 4) * 4, firstColumn + (thread & 15) * 4);
        (store.Scale, store.Accumulate) = (scale, accumulate);
        Unroll16.For(ref store);
    }
}
