using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// GEMM without tensor cores: any strides and sizes, fp32 or 16-bit operands. Older GPUs take it for all GEMMs, and
/// every GPU for the small ones whose operands are fp32, such as features and logits.
/// </summary>
internal static partial class SimtGemm
{
    // CTA tile 64 x 64 x 16 (M, N, K): 16 x 16 threads, each of which computes 4 x 4 elements of C. A row of the
    // shared-memory tile is one k with all 64 m or n, padded by 4 against bank conflicts.
    private const int Tile = 64, TileK = 16, Threads = 256, SharedStride = Tile + 4;

    /// <summary>Copies a thread's elements of one k tile of A or B to shared memory, as fp32 [k][m or n].</summary>
    [DeviceCode]
    private struct LoadBody<T> : IUnrolledBody where T : struct, IGlobalPtr
    {
        public T Source;
        public ArrayView<float> Shared;
        public long First, MnStride, KStride;
        public int FirstMn, MnEnd, FirstK, KEnd, Thread;

        public void Run(int index)
        {
            int at = Thread + index * Threads;
            // Coalesced: neighboring threads read neighbors in memory.
            bool isKMajor = KStride == 1;
            int tileMn = isKMajor ? at / TileK : at % Tile, tileK = isKMajor ? at % TileK : at / Tile;
            int mn = FirstMn + tileMn, k = FirstK + tileK;
            float value = 0;
            if (mn < MnEnd && k < KEnd)
                value = Source.Load(First + mn * MnStride + k * KStride);
            Shared[tileK * SharedStride + tileMn] = value;
        }
    }

    [DeviceCode]
    private struct FmaBody : IUnrolledBody
    {
        public ArrayView<float> Accumulators, A, B;

        public void Run(int index) => Accumulators[index] = Ptx.Fma(A[index >> 2], B[index & 3], Accumulators[index]);
    }

    [DeviceCode]
    private struct ReadBody : IUnrolledBody
    {
        public ArrayView<float> Shared, Target;
        public int First;

        public void Run(int index) => Target[index] = Shared[First + index];
    }

    [DeviceCode]
    private struct ZeroBody : IUnrolledBody
    {
        public ArrayView<float> Accumulators;

        public void Run(int index) => Accumulators[index] = 0;
    }

    /// <summary>Applies the epilogue to one element of C and stores it.</summary>
    [DeviceCode]
    private struct StoreBody<TC, TEpilogue> : IUnrolledBody
        where TC : struct, IGlobalPtr where TEpilogue : struct, IGpuEpilogue
    {
        public ArrayView<float> Accumulators;
        public TC C, Extra;
        public GlobalPtrFp32 Bias;
        public long First, RowStride;
        public int FirstRow, FirstColumn, M, N, Accumulate;
        public float Scale;

        public void Run(int index)
        {
            int row = FirstRow + (index >> 2), column = FirstColumn + (index & 3);
            if (row >= M || column >= N)
                return;
            long at = First + row * RowStride + column, extraAt = (long)row * N + column;
            float value = Accumulators[index] * Scale;
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

    /// <summary>C = epilogue(scale A B + C): the classic shared-memory tiling with a register tile a thread.</summary>
    /// <remarks>
    /// Grid: x and y count the CTA tiles along N and M, z the GEMMs of a batch. 256 threads.
    /// Shared memory: [A tile | B tile], each 16 k rows of 64 + 4 fp32 numbers.
    /// Registers: 4 x 4 accumulators, 4 elements of A, 4 of B. Each accumulator sums over k in ascending order.
    /// </remarks>
    /// <param name="a">[m, k], any strides.</param>
    /// <param name="b">[k, n], any strides.</param>
    /// <param name="c">[m, n], column stride 1.</param>
    /// <param name="bias">[n]; null for none.</param>
    /// <param name="extra">[m, n] without gaps, see <see cref="IGpuEpilogue"/>; null for none.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">Length of the reduction dimension.</param>
    /// <param name="rowStrideA">Elements between rows of A.</param>
    /// <param name="columnStrideA">Elements between columns of A.</param>
    /// <param name="rowStrideB">Elements between rows of B.</param>
    /// <param name="columnStrideB">Elements between columns of B.</param>
    /// <param name="rowStrideC">Elements between rows of C.</param>
    /// <param name="strideA">Elements between the A of a batch.</param>
    /// <param name="strideB">Elements between the B of a batch.</param>
    /// <param name="strideC">Elements between the C of a batch.</param>
    /// <param name="scale">Factor of A B.</param>
    /// <param name="accumulate">1 to add C before the epilogue.</param>
    [DeviceCode]
    private static void SimtGemmKernel<TA, TB, TC, TEpilogue>(TA a, TB b, TC c, GlobalPtrFp32 bias, TC extra, int m,
        int n, int k, long rowStrideA, long columnStrideA, long rowStrideB, long columnStrideB, long rowStrideC,
        long strideA, long strideB, long strideC, float scale, int accumulate)
        where TA : struct, IGlobalPtr where TB : struct, IGlobalPtr where TC : struct, IGlobalPtr
        where TEpilogue : struct, IGpuEpilogue
    {
        ArrayView<float> sharedA = SharedMemory.Allocate<float>(TileK * SharedStride),
            sharedB = SharedMemory.Allocate<float>(TileK * SharedStride);
        ArrayView<float> accumulators = LocalMemory.Allocate<float>(16), registersA = LocalMemory.Allocate<float>(4),
            registersB = LocalMemory.Allocate<float>(4);
        int thread = Group.IdxX, firstRow = Grid.IdxY * Tile, firstColumn = Grid.IdxX * Tile;
        long batch = Grid.IdxZ;
        var zero = new ZeroBody { Accumulators = accumulators };
        Unroll16.For(ref zero);
        var loadA = new LoadBody<TA>
        {
            Source = a,
            Shared = sharedA,
            First = batch * strideA,
            MnStride = rowStrideA,
            KStride = columnStrideA,
            FirstMn = firstRow,
            MnEnd = m,
            KEnd = k,
            Thread = thread,
        };
        var loadB = new LoadBody<TB>
        {
            Source = b,
            Shared = sharedB,
            First = batch * strideB,
            MnStride = columnStrideB,
            KStride = rowStrideB,
            FirstMn = firstColumn,
            MnEnd = n,
            KEnd = k,
            Thread = thread,
        };

        // (1) For each k tile:
        for (int firstK = 0; firstK < k; firstK += TileK)
        {
            // (1.1) Copy the A and B tiles from global to shared memory, zeros beyond the matrices.
            (loadA.FirstK, loadB.FirstK) = (firstK, firstK);
            Unroll4.For(ref loadA);
            Unroll4.For(ref loadB);
            Group.Barrier();
            // (1.2) For each k of the tile: move 4 elements of A and 4 of B to registers, and add their outer product.
            for (int tileK = 0; tileK < TileK; tileK++)
            {
                var readA = new ReadBody
                {
                    Shared = sharedA,
                    Target = registersA,
                    First = tileK * SharedStride + (thread >> 4) * 4,
                };
                var readB = new ReadBody
                {
                    Shared = sharedB,
                    Target = registersB,
                    First = tileK * SharedStride + (thread & 15) * 4,
                };
                Unroll4.For(ref readA);
                Unroll4.For(ref readB);
                var multiply = new FmaBody { Accumulators = accumulators, A = registersA, B = registersB };
                Unroll16.For(ref multiply);
            }
            Group.Barrier();
        }

        // (2) Apply the epilogue to the 4 x 4 accumulators and store them in C.
        var store = new StoreBody<TC, TEpilogue>
        {
            Accumulators = accumulators,
            C = c,
            Bias = bias,
            Extra = extra,
            First = batch * strideC,
            RowStride = rowStrideC,
            M = m,
            N = n,
            FirstRow = firstRow + (thread >> 4) * 4,
            FirstColumn = firstColumn + (thread & 15) * 4,
            Scale = scale,
            Accumulate = accumulate,
        };
        Unroll16.For(ref store);
    }
}
