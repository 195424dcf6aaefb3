using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Applies the epilogue to a warp's accumulators and stores them in C. In the accumulator layout (see
/// <see cref="Ptx.MmaFp16"/>) a lane has rows lane / 4 and lane / 4 + 8 and of every 8 columns a pair; four
/// accumulators side by side are 32 columns, of which the quad of lanes that shares a row exchanges pairs, so that
/// each lane stores 16 bytes.
/// </summary>
[DeviceCode]
internal struct EpilogueStore<TEpilogue, TC> where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
{
    private readonly TC _c, _extra;
    private readonly GlobalPtrFp32 _bias;
    private readonly int _m, _n, _leading, _accumulate, _vectorized;
    private readonly float _scale;
    private long _at, _extraAt;
    private int _row, _column;

    /// <summary>Describes C.</summary>
    /// <param name="c">[m, n], rows <paramref name="leading"/> elements apart.</param>
    /// <param name="bias">[n]; null for none.</param>
    /// <param name="extra">[m, n] without gaps, which the epilogue reads or writes; null for none.</param>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="leading">Leading dimension of C: elements between rows.</param>
    /// <param name="scale">Factor of the accumulators.</param>
    /// <param name="accumulate">1 to add C before the epilogue.</param>
    /// <param name="vectorized">1 when eight columns can be accessed at once in every array.</param>
    public EpilogueStore(TC c, GlobalPtrFp32 bias, TC extra, int m, int n, int leading, float scale, int accumulate,
        int vectorized)
    {
        (_c, _bias, _extra, _m, _n, _leading) = (c, bias, extra, m, n, leading);
        (_scale, _accumulate, _vectorized) = (scale, accumulate, vectorized);
        (_at, _extraAt, _row, _column) = (0, 0, 0, 0);
    }

    /// <summary>Begins a warp tile.</summary>
    /// <param name="first">Element of c where the matrix begins.</param>
    /// <param name="row">First row of the warp tile.</param>
    /// <param name="column">First column of the warp tile.</param>
    /// <param name="lane">Index of the lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Begin(long first, int row, int column, int lane)
    {
        (_row, _column) = (row + (lane >> 2), column);
        (_at, _extraAt) = (first + (long)_row * _leading + column, (long)_row * _n + column);
    }

    /// <summary>
    /// Stores 16 rows of 32 columns: four accumulators side by side, at a row and column of the warp tile. All lanes
    /// call it.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(int row, int column, F4 sum0, F4 sum1, F4 sum2, F4 sum3)
    {
        var upper = new Vec8
        {
            A = sum0.X,
            B = sum0.Y,
            C = sum1.X,
            D = sum1.Y,
            E = sum2.X,
            F = sum2.Y,
            G = sum3.X,
            H = sum3.Y,
        };
        var lower = new Vec8
        {
            A = sum0.Z,
            B = sum0.W,
            C = sum1.Z,
            D = sum1.W,
            E = sum2.Z,
            F = sum2.W,
            G = sum3.Z,
            H = sum3.W,
        };
        Vec8 bias = default;
        int count = _n - _column - column;
        if (TEpilogue.ReadsBias && !_bias.IsNull)
            bias = _bias.LoadPairs(_column + column, count, _vectorized);
        StoreRow(row, column, count, upper, bias);
        StoreRow(row + 8, column, count, lower, bias);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StoreRow(int row, int column, int count, Vec8 sums, Vec8 bias)
    {
        long at = _at + (long)row * _leading + column, extraAt = _extraAt + (long)row * _n + column;
        if (_row + row >= _m)
            count = 0;
        Vec8 value = Vec8.Scale(sums, _scale, bias), extra = default;
        if (_accumulate != 0)
            value = Vec8.Add(value, _c.LoadPairs(at, count, _vectorized));
        if (TEpilogue.WritesExtra && !_extra.IsNull)
            _extra.StorePairs(extraAt, value, count, _vectorized);
        if (TEpilogue.ReadsExtra)
            extra = _extra.LoadPairs(extraAt, count, _vectorized);
        value.A = TEpilogue.Apply(value.A, extra.A);
        value.B = TEpilogue.Apply(value.B, extra.B);
        value.C = TEpilogue.Apply(value.C, extra.C);
        value.D = TEpilogue.Apply(value.D, extra.D);
        value.E = TEpilogue.Apply(value.E, extra.E);
        value.F = TEpilogue.Apply(value.F, extra.F);
        value.G = TEpilogue.Apply(value.G, extra.G);
        value.H = TEpilogue.Apply(value.H, extra.H);
        _c.StorePairs(at, value, count, _vectorized);
    }
}
