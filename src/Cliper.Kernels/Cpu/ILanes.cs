namespace Cliper.Kernels.Cpu;

/// <summary>
/// One SIMD register of fp32 lanes. Row kernels are written once, generic over this, and the JIT makes the AVX-512,
/// AVX2 and portable code of each: <see cref="Lanes512"/>, <see cref="Lanes256"/>, <see cref="LanesPortable"/>.
/// </summary>
public unsafe interface ILanes<TSelf> where TSelf : struct, ILanes<TSelf>
{
    /// <summary>Lanes in a register.</summary>
    static abstract int Count { get; }

    /// <summary>All lanes 0.</summary>
    static abstract TSelf Zero { get; }

    /// <summary>All lanes <paramref name="value"/>.</summary>
    static abstract TSelf Create(float value);

    /// <summary>Count floats at <paramref name="p"/>, any alignment.</summary>
    static abstract TSelf Load(float* p);

    /// <summary>
    /// The first <paramref name="n"/> (1 to Count) floats at <paramref name="p"/>, the other lanes 0; reads no further.
    /// </summary>
    static abstract TSelf LoadPartial(float* p, int n);

    /// <summary>Writes Count floats to <paramref name="p"/>.</summary>
    void Store(float* p);

    /// <summary>Writes the first <paramref name="n"/> lanes to <paramref name="p"/> and nothing beyond.</summary>
    void StorePartial(float* p, int n);

    /// <summary>Lane-wise sum.</summary>
    static abstract TSelf operator +(TSelf a, TSelf b);

    /// <summary>Lane-wise difference.</summary>
    static abstract TSelf operator -(TSelf a, TSelf b);

    /// <summary>Lane-wise product.</summary>
    static abstract TSelf operator *(TSelf a, TSelf b);

    /// <summary>Lane-wise quotient.</summary>
    static abstract TSelf operator /(TSelf a, TSelf b);

    /// <summary>a * b + c, rounded once where the hardware can.</summary>
    static abstract TSelf MultiplyAdd(TSelf a, TSelf b, TSelf c);

    /// <summary>Lane-wise minimum; a NaN in either gives NaN.</summary>
    static abstract TSelf Min(TSelf a, TSelf b);

    /// <summary>Lane-wise maximum; a NaN in either gives NaN.</summary>
    static abstract TSelf Max(TSelf a, TSelf b);

    /// <summary>
    /// Lane-wise larger of x and a bound that is not NaN; a NaN in x stays. One instruction, where Max takes several.
    /// </summary>
    static abstract TSelf AtLeast(TSelf x, TSelf bound);

    /// <summary>Lane-wise smaller of x and a bound that is not NaN; a NaN in x stays.</summary>
    static abstract TSelf AtMost(TSelf x, TSelf bound);

    /// <summary>Lane-wise absolute value.</summary>
    static abstract TSelf Abs(TSelf a);

    /// <summary>Lane-wise square root.</summary>
    static abstract TSelf Sqrt(TSelf a);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract TSelf Round(TSelf a);

    /// <summary>
    /// a times 2 to the power of integral lanes within [-160, 127]; a power below 2^-126 may count as 0, below 2^-150
    /// it does.
    /// </summary>
    static abstract TSelf Scale(TSelf a, TSelf integral);

    /// <summary>The largest integral n with 2^n at most a, for positive normal a.</summary>
    static abstract TSelf Exponent(TSelf a);

    /// <summary>Lane-wise a &lt; b ? yes : no; a comparison with NaN is false.</summary>
    static abstract TSelf SelectLess(TSelf a, TSelf b, TSelf yes, TSelf no);

    /// <summary>Sum of all lanes, in a fixed order.</summary>
    static abstract float Sum(TSelf a);

    /// <summary>Largest lane.</summary>
    static abstract float MaxLane(TSelf a);
}
