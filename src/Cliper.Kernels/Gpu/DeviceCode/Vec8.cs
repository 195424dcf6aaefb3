using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// Eight neighboring elements of a row in fp32 registers: one or two 128-bit accesses where the row allows vectorized
/// access, single ones elsewhere.
/// </summary>
[DeviceCode]
internal struct Vec8
{
    public float A, B, C, D, E, F, G, H;

    /// <summary>Number of elements.</summary>
    public const int Size = 8;

    /// <summary>
    /// Loads elements [at, at + count) of an array, and zeros beyond; with <paramref name="vectorized"/> count has to
    /// be at least eight and the address aligned to 16 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Load<T>(T x, long at, int count, int vectorized) where T : struct, IGlobalPtr
    {
        if (vectorized != 0)
            return x.Load8(at);
        Vec8 value = default;
        value.A = x.Load(at);
        if (count > 1)
            value.B = x.Load(at + 1);
        if (count > 2)
            value.C = x.Load(at + 2);
        if (count > 3)
            value.D = x.Load(at + 3);
        if (count > 4)
            value.E = x.Load(at + 4);
        if (count > 5)
            value.F = x.Load(at + 5);
        if (count > 6)
            value.G = x.Load(at + 6);
        if (count > 7)
            value.H = x.Load(at + 7);
        return value;
    }

    /// <summary>Stores elements [at, at + count).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<T>(T y, long at, Vec8 value, int count, int vectorized) where T : struct, IGlobalPtr
    {
        if (vectorized != 0)
        {
            y.Store8(at, value);
            return;
        }
        y.Store(at, value.A);
        if (count > 1)
            y.Store(at + 1, value.B);
        if (count > 2)
            y.Store(at + 2, value.C);
        if (count > 3)
            y.Store(at + 3, value.D);
        if (count > 4)
            y.Store(at + 4, value.E);
        if (count > 5)
            y.Store(at + 5, value.F);
        if (count > 6)
            y.Store(at + 6, value.G);
        if (count > 7)
            y.Store(at + 7, value.H);
    }

    /// <summary>Stores elements [at, at + count), or adds to them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write<T>(T y, long at, Vec8 value, int count, int vectorized, int accumulate)
        where T : struct, IGlobalPtr =>
        Store(y, at, accumulate != 0 ? Add(Load(y, at, count, vectorized), value) : value, count, vectorized);

    /// <summary>a + b, elementwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Add(Vec8 a, Vec8 b) => new()
    {
        A = a.A + b.A,
        B = a.B + b.B,
        C = a.C + b.C,
        D = a.D + b.D,
        E = a.E + b.E,
        F = a.F + b.F,
        G = a.G + b.G,
        H = a.H + b.H,
    };

    /// <summary>a b, elementwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Multiply(Vec8 a, Vec8 b) => new()
    {
        A = a.A * b.A,
        B = a.B * b.B,
        C = a.C * b.C,
        D = a.D * b.D,
        E = a.E * b.E,
        F = a.F * b.F,
        G = a.G * b.G,
        H = a.H * b.H,
    };

    /// <summary>a factor + addend, one number for all elements.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Scale(Vec8 a, float factor, float addend = 0) => new()
    {
        A = Ptx.Fma(a.A, factor, addend),
        B = Ptx.Fma(a.B, factor, addend),
        C = Ptx.Fma(a.C, factor, addend),
        D = Ptx.Fma(a.D, factor, addend),
        E = Ptx.Fma(a.E, factor, addend),
        F = Ptx.Fma(a.F, factor, addend),
        G = Ptx.Fma(a.G, factor, addend),
        H = Ptx.Fma(a.H, factor, addend),
    };

    /// <summary>a factor + addends, elementwise.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Scale(Vec8 a, float factor, Vec8 addends) => new()
    {
        A = Ptx.Fma(a.A, factor, addends.A),
        B = Ptx.Fma(a.B, factor, addends.B),
        C = Ptx.Fma(a.C, factor, addends.C),
        D = Ptx.Fma(a.D, factor, addends.D),
        E = Ptx.Fma(a.E, factor, addends.E),
        F = Ptx.Fma(a.F, factor, addends.F),
        G = Ptx.Fma(a.G, factor, addends.G),
        H = Ptx.Fma(a.H, factor, addends.H),
    };

    /// <summary>Sum of all eight elements, added as a tree.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vec8 a) => ((a.A + a.B) + (a.C + a.D)) + ((a.E + a.F) + (a.G + a.H));

    /// <summary>Sets the elements from <paramref name="count"/> on to zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Cut(Vec8 a, int count) => new()
    {
        A = a.A,
        B = count > 1 ? a.B : 0f,
        C = count > 2 ? a.C : 0f,
        D = count > 3 ? a.D : 0f,
        E = count > 4 ? a.E : 0f,
        F = count > 5 ? a.F : 0f,
        G = count > 6 ? a.G : 0f,
        H = count > 7 ? a.H : 0f,
    };

    /// <summary>Sets elements [from, from + count) to zero; both ends may lie outside.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vec8 Erase(Vec8 a, int from, uint count) => new()
    {
        A = (uint)-from < count ? 0f : a.A,
        B = (uint)(1 - from) < count ? 0f : a.B,
        C = (uint)(2 - from) < count ? 0f : a.C,
        D = (uint)(3 - from) < count ? 0f : a.D,
        E = (uint)(4 - from) < count ? 0f : a.E,
        F = (uint)(5 - from) < count ? 0f : a.F,
        G = (uint)(6 - from) < count ? 0f : a.G,
        H = (uint)(7 - from) < count ? 0f : a.H,
    };

    /// <summary>
    /// Whether rows of <paramref name="stride"/> elements in these arrays can be accessed vectorized: their widths are
    /// multiples of eight and their addresses aligned to 16 bytes. Null arrays count as aligned. The host asks this.
    /// </summary>
    public static bool IsVectorizable(long width, long stride, params ReadOnlySpan<DeviceArray> arrays)
    {
        if (width % Size != 0 || stride % Size != 0)
            return false;
        foreach (DeviceArray array in arrays)
            if (array.Address % 16 != 0)
                return false;
        return true;
    }
}
