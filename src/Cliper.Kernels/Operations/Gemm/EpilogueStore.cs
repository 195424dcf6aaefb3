using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;

namespace Cliper.Kernels.Operations;

/// <summary>Where a warp's sums on tensor cores go, and what an epilogue makes of them on the way.</summary>
internal struct EpilogueStore<TEpilogue, TC> where TEpilogue : struct, IGpuEpilogue where TC : struct, IGlobalPtr
{
    private readonly TC _c, _extra;
    private readonly GlobalPtrFp32 _bias;
    private readonly int _rows, _columns, _leading, _accumulate, _wide;
    private readonly float _scale;
    private long _at, _extraAt;
    private int _row, _column;

    /// <summary>The result.</summary>
    /// <param name="c">[rows, columns], rows <paramref name="leading"/> elements apart.</param>
    /// <param name="bias">[columns], or none.</param>
    /// <param name="extra">What the epilogue reads or writes: [rows, columns], or none.</param>
    /// <param name="rows">Rows of the result.</param>
    /// <param name="columns">Columns of the result.</param>
    /// <param name="leading">Elements from row to row.</param>
    /// <param name="scale">A factor of the sums.</param>
    /// <param name="accumulate">Whether the sums are added to the result, 0 or 1.</param>
    /// <param name="vectorized">Whether eight columns can be accessed at once in every array, 0 or 1.</param>
    public EpilogueStore(TC c, GlobalPtrFp32 bias, TC extra, int rows, int columns, int leading, float scale, int accumulate, int vectorized)
    {
        (_c, _bias, _extra, _rows, _columns, _leading) = (c, bias, extra, rows, columns, leading);
        (_scale, _accumulate, _wide) = (scale, accumulate, vectorized);
        (_at, _extraAt, _row, _column) = (0, 0, 0, 0);
    }

    /// <summary>Begins a warp's part.</summary>
    /// <param name="first">Element of c where the matrix begins.</param>
    /// <param name="row">First row.</param>
    /// <param name="column">First column.</param>
    /// <param name="lane">The lane.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Begin(long first, int row, int column, int lane)
    {
        (_row, _column) = (row + (lane >> 2), column);
        (_at, _extraAt) = (first + (long)_row * _leading + column, (long)_row * _columns + column);
    }

    /// <summary>Stores 16 rows of 32 columns, so many from the first: four accumulators side by side. All lanes call it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(int down, int across, F4 sum0, F4 sum1, F4 sum2, F4 sum3)
    {
        Vec8 upper, lower, bias = default;
        (upper.A, upper.B, upper.C, upper.D) = (sum0.X, sum0.Y, sum1.X, sum1.Y);
        (upper.E, upper.F, upper.G, upper.H) = (sum2.X, sum2.Y, sum3.X, sum3.Y);
        (lower.A, lower.B, lower.C, lower.D) = (sum0.Z, sum0.W, sum1.Z, sum1.W);
        (lower.E, lower.F, lower.G, lower.H) = (sum2.Z, sum2.W, sum3.Z, sum3.W);
        int count = _columns - _column - across;
        if (TEpilogue.ReadsBias && !_bias.IsNull)
            bias = _bias.LoadPairs(_column + across, count, _wide);
        Store(down, across, count, upper, bias);
        Store(down + 8, across, count, lower, bias);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Store(int down, int across, int count, Vec8 sums, Vec8 bias)
    {
        long at = _at + (long)down * _leading + across, extraAt = _extraAt + (long)down * _columns + across;
        if (_row + down >= _rows)
            count = 0;
        Vec8 value = Vec8.Scale(sums, _scale, bias), extra = default;
        if (_accumulate != 0)
            value = Vec8.Add(value, _c.LoadPairs(at, count, _wide));
        if (TEpilogue.WritesExtra && !_extra.IsNull)
            _extra.StorePairs(extraAt, value, count, _wide);
        if (TEpilogue.ReadsExtra)
            extra = _extra.LoadPairs(extraAt, count, _wide);
        value.A = TEpilogue.Apply(value.A, extra.A);
        value.B = TEpilogue.Apply(value.B, extra.B);
        value.C = TEpilogue.Apply(value.C, extra.C);
        value.D = TEpilogue.Apply(value.D, extra.D);
        value.E = TEpilogue.Apply(value.E, extra.E);
        value.F = TEpilogue.Apply(value.F, extra.F);
        value.G = TEpilogue.Apply(value.G, extra.G);
        value.H = TEpilogue.Apply(value.H, extra.H);
        _c.StorePairs(at, value, count, _wide);
    }
}
