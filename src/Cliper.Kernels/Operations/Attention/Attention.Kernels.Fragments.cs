using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The two GEMMs of attention on fragments: scores = A B^T, where both sides are rows of the head, and accumulators
/// += P B, where P is in registers; and the store of a warp's accumulators.
/// </summary>
internal static partial class MmaSyncAttention
{
    [DeviceCode]
    private struct ScoreFragmentBody<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Scores;
        public U4 A;
        public int AddressB;

        public void Run(int index) => Mma<TDtype>(Scores, index, A, Ptx.LoadMatrices(AddressB + index * FragmentBytes));
    }

    [DeviceCode]
    private struct ScoreBody<TDtype, TFragments> : IUnrolledBody
        where TDtype : struct, IDtype16 where TFragments : struct, IUnroll
    {
        public ArrayView<F4> Scores;
        public ArrayView<U4> A;
        public int AddressB, OffsetB;

        public void Run(int index)
        {
            var body = new ScoreFragmentBody<TDtype>
            {
                Scores = Scores,
                A = A[index],
                AddressB = AtColumn(AddressB, index) + OffsetB,
            };
            TFragments.For(ref body);
        }
    }

    /// <summary>
    /// scores = A B^T: 16 rows times some fragments of 16 rows each, summed over the columns of the head.
    /// </summary>
    /// <param name="scores">Two accumulators for each fragment of B.</param>
    /// <param name="a">Four fragments, one per 16 columns of the head.</param>
    /// <param name="addressB">A tile's address + <see cref="FragmentOffsetB"/>.</param>
    /// <param name="offsetB">A constant added to it, which becomes part of the instruction.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyTransposed<TDtype, TFragments>(ArrayView<F4> scores, ArrayView<U4> a, int addressB,
        int offsetB)
        where TDtype : struct, IDtype16 where TFragments : struct, IUnroll
    {
        var zero = new ZeroBody { Accumulators = scores };
        Twice<TFragments>.For(ref zero);
        var body = new ScoreBody<TDtype, TFragments> { Scores = scores, A = a, AddressB = addressB, OffsetB = offsetB };
        Unroll4.For(ref body);
    }

    [DeviceCode]
    private struct AccumulateColumnsBody<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Accumulators;
        public U4 P;
        public int AddressB, OffsetB;

        public void Run(int index) =>
            Mma<TDtype>(Accumulators, index, P, Ptx.LoadMatricesTransposed(AtColumn(AddressB, index) + OffsetB));
    }

    [DeviceCode]
    private struct AccumulateBody<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> P, Accumulators;
        public int AddressB, OffsetB;

        public void Run(int index)
        {
            // The accumulators of 16 x 16 scores, rounded to the dtype, are an A fragment as they stand.
            F4 low = P[2 * index], high = P[2 * index + 1];
            AccumulateColumnsBody<TDtype> body;
            body.P.X = TDtype.PackX2(low.X, low.Y);
            body.P.Y = TDtype.PackX2(low.Z, low.W);
            body.P.Z = TDtype.PackX2(high.X, high.Y);
            body.P.W = TDtype.PackX2(high.Z, high.W);
            body.Accumulators = Accumulators;
            body.AddressB = AddressB;
            body.OffsetB = OffsetB + index * FragmentBytes;
            Unroll4.For(ref body);
        }
    }

    /// <summary>accumulators += P B, P being 16 rows of as many columns as the fragments of B have rows.</summary>
    /// <param name="accumulators">Eight, of 8 columns of the head each.</param>
    /// <param name="p">Two accumulators for each fragment of B; rounded to the dtype for the mma.</param>
    /// <param name="addressB">A tile's address + <see cref="FragmentOffsetA"/>: B is stored [k][n] and loaded with
    /// .trans.</param>
    /// <param name="offsetB">A constant added to it, which becomes part of the instruction.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MultiplyAccumulate<TDtype, TFragments>(ArrayView<F4> accumulators, ArrayView<F4> p,
        int addressB, int offsetB) where TDtype : struct, IDtype16 where TFragments : struct, IUnroll
    {
        var body = new AccumulateBody<TDtype>
        {
            P = p,
            Accumulators = accumulators,
            AddressB = addressB,
            OffsetB = offsetB,
        };
        TFragments.For(ref body);
    }

    /// <summary>Stores 32 columns of a lane's two rows.</summary>
    [DeviceCode]
    private struct StoreBody<TDtype> : IUnrolledBody where TDtype : struct, IDtype16
    {
        public ArrayView<F4> Accumulators;
        public GlobalPtr16<TDtype> Row0, Row1;
        public int Columns0, Columns1, Accumulate;
        public float Scale0, Scale1;

        public void Run(int index)
        {
            F4 s = Accumulators[index * 4], t = Accumulators[index * 4 + 1], u = Accumulators[index * 4 + 2],
                v = Accumulators[index * 4 + 3];
            var upper = new Vec8 { A = s.X, B = s.Y, C = t.X, D = t.Y, E = u.X, F = u.Y, G = v.X, H = v.Y };
            var lower = new Vec8 { A = s.Z, B = s.W, C = t.Z, D = t.W, E = u.Z, F = u.W, G = v.Z, H = v.W };
            Store(Row0, index * 32, Vec8.Scale(upper, Scale0), Columns0 - index * 32);
            Store(Row1, index * 32, Vec8.Scale(lower, Scale1), Columns1 - index * 32);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private void Store(GlobalPtr16<TDtype> row, int column, Vec8 value, int count)
        {
            if (Accumulate != 0)
                value = Vec8.Add(value, row.LoadPairs(column, count, 1));
            row.StorePairs(column, value, count, 1);
        }
    }

    /// <summary>
    /// Scales a warp's accumulators and stores them in its 16 rows of the head, or adds them there. Rows from
    /// <paramref name="rows"/> on are left out.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TDtype>(ArrayView<F4> accumulators, GlobalPtr16<TDtype> target, int row, int rows,
        int stride, int headSize, int accumulate, float scale0, float scale1) where TDtype : struct, IDtype16
    {
        StoreBody<TDtype> store;
        (store.Accumulators, store.Accumulate, store.Scale0, store.Scale1) = (accumulators, accumulate, scale0, scale1);
        store.Row0 = new GlobalPtr16<TDtype>(Ptx.Offset(HeadOf(target, rows, stride, headSize).At(0), row, stride * 2));
        store.Row1 = new GlobalPtr16<TDtype>(store.Row0.At(8L * stride));
        store.Columns0 = row < rows ? headSize : 0;
        store.Columns1 = row + 8 < rows ? headSize : 0;
        Unroll2.For(ref store);
    }
}
