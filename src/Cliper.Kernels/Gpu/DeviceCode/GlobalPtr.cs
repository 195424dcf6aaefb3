using System.Runtime.CompilerServices;
using ILGPU;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// A pointer to elements in global memory. The type says how they are stored, so that one kernel serves fp32 and the
/// 16-bit dtypes; in registers all are fp32. A kernel argument of this type is an address.
/// </summary>
internal interface IGlobalPtr
{
    /// <summary>Bytes of an element.</summary>
    static abstract int Size { get; }

    /// <summary>Whether the pointer is null: there is no array.</summary>
    bool IsNull { get; }

    /// <summary>Loads element <paramref name="index"/>.</summary>
    float Load(long index);

    /// <summary>Stores element <paramref name="index"/>.</summary>
    void Store(long index, float value);

    /// <summary>
    /// Vectorized: loads eight elements from <paramref name="index"/> on, at an address aligned to 16 bytes.
    /// </summary>
    Vec8 Load8(long index);

    /// <summary>Vectorized: stores eight elements where <see cref="Load8"/> would load them.</summary>
    void Store8(long index, Vec8 value);

    /// <summary>
    /// Loads a lane's part of 32 columns of a row in the layout of four accumulators side by side
    /// (<see cref="Ptx.MmaFp16"/>): of every eight columns the pair from 2 (lane % 4) on. All lanes of a warp call
    /// it; it needs compute capability 8.0.
    /// </summary>
    /// <param name="index">Element where the 32 columns begin.</param>
    /// <param name="count">Columns that exist, 0 or less where the row does not; the others are 0.</param>
    /// <param name="vectorized">1 when count is a multiple of eight and 128-bit accesses are aligned.</param>
    Vec8 LoadPairs(long index, int count, int vectorized);

    /// <summary>Stores the columns that exist, in the layout of <see cref="LoadPairs"/>.</summary>
    void StorePairs(long index, Vec8 pairs, int count, int vectorized);
}

/// <summary>A pointer to fp32 elements.</summary>
[DeviceCode]
internal readonly struct GlobalPtrFp32 : IGlobalPtr
{
    private readonly long _address;

    public GlobalPtrFp32(long address) => _address = address;

    public static int Size => 4;

    public bool IsNull => _address == 0;

    /// <summary>Address of element <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => Ptx.LoadFloat(_address + index * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => Ptx.StoreFloat(_address + index * 4, value);

    /// <summary>
    /// Vectorized: loads two elements from <paramref name="index"/> on, at an address aligned to 8 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F2 Load2(long index) => Ptx.LoadFloats2(_address + index * 4);

    /// <summary>Vectorized: stores two elements where <see cref="Load2"/> would load them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store2(long index, F2 value) => Ptx.StoreFloats2(_address + index * 4, value);

    /// <summary>
    /// Vectorized: loads four elements from <paramref name="index"/> on, at an address aligned to 16 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F4 Load4(long index) => Ptx.LoadFloats(_address + index * 4);

    /// <summary>Vectorized: stores four elements where <see cref="Load4"/> would load them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) => Ptx.StoreFloats(_address + index * 4, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 Load8(long index)
    {
        F4 low = Ptx.LoadFloats(_address + index * 4), high = Ptx.LoadFloats(_address + index * 4 + 16);
        return new Vec8
        {
            A = low.X,
            B = low.Y,
            C = low.Z,
            D = low.W,
            E = high.X,
            F = high.Y,
            G = high.Z,
            H = high.W,
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, Vec8 value)
    {
        var low = new F4 { X = value.A, Y = value.B, Z = value.C, W = value.D };
        var high = new F4 { X = value.E, Y = value.F, Z = value.G, W = value.H };
        Ptx.StoreFloats(_address + index * 4, low);
        Ptx.StoreFloats(_address + index * 4 + 16, high);
    }

    // The lanes of a quad access eight neighboring columns, which fill a sector of 32 bytes as they are.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 LoadPairs(long index, int count, int vectorized)
    {
        int column = (Warp.LaneIdx & 3) * 2;
        F2 ab = LoadPair(index + column, count - column, vectorized),
            cd = LoadPair(index + column + 8, count - column - 8, vectorized),
            ef = LoadPair(index + column + 16, count - column - 16, vectorized),
            gh = LoadPair(index + column + 24, count - column - 24, vectorized);
        return new Vec8 { A = ab.X, B = ab.Y, C = cd.X, D = cd.Y, E = ef.X, F = ef.Y, G = gh.X, H = gh.Y };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePairs(long index, Vec8 pairs, int count, int vectorized)
    {
        int column = (Warp.LaneIdx & 3) * 2;
        StorePair(index + column, pairs.A, pairs.B, count - column, vectorized);
        StorePair(index + column + 8, pairs.C, pairs.D, count - column - 8, vectorized);
        StorePair(index + column + 16, pairs.E, pairs.F, count - column - 16, vectorized);
        StorePair(index + column + 24, pairs.G, pairs.H, count - column - 24, vectorized);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private F2 LoadPair(long index, int count, int vectorized)
    {
        F2 pair = default;
        if (count > 0)
        {
            if (vectorized != 0)
                return Load2(index);
            pair.X = Load(index);
            if (count > 1)
                pair.Y = Load(index + 1);
        }
        return pair;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StorePair(long index, float first, float second, int count, int vectorized)
    {
        if (count <= 0)
            return;
        if (vectorized != 0)
        {
            Store2(index, new F2 { X = first, Y = second });
            return;
        }
        Store(index, first);
        if (count > 1)
            Store(index + 1, second);
    }
}

/// <summary>A pointer to elements of a 16-bit dtype; stores round to nearest.</summary>
/// <typeparam name="TDtype">The dtype.</typeparam>
[DeviceCode]
internal readonly struct GlobalPtr16<TDtype> : IGlobalPtr where TDtype : struct, IDtype16
{
    private readonly long _address;

    public GlobalPtr16(long address) => _address = address;

    public static int Size => 2;

    public bool IsNull => _address == 0;

    /// <summary>Address of element <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => TDtype.Load(_address + index * 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => TDtype.Store(_address + index * 2, value);

    /// <summary>
    /// Vectorized: stores four elements from <paramref name="index"/> on, at an address aligned to 8 bytes.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) =>
        Ptx.StoreInts2(_address + index * 2, (int)TDtype.Pack(value.X, value.Y), (int)TDtype.Pack(value.Z, value.W));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 Load8(long index) => Unpack(Ptx.Load128(_address + index * 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, Vec8 value)
    {
        var packed = new U4
        {
            X = TDtype.Pack(value.A, value.B),
            Y = TDtype.Pack(value.C, value.D),
            Z = TDtype.Pack(value.E, value.F),
            W = TDtype.Pack(value.G, value.H),
        };
        Ptx.Store128(_address + index * 2, packed);
    }

    // The lanes of a quad exchange pairs, so that each has eight neighboring columns: 16 bytes a lane, whole sectors
    // a quad.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 LoadPairs(long index, int count, int vectorized)
    {
        int column = (Warp.LaneIdx & 3) * 8;
        U4 words = default;
        if (column < count)
            words = vectorized != 0 ? Ptx.Load128(At(index + column))
                : Pack(Vec8.Load(this, index + column, count - column, 0));
        return Unpack(Ptx.TransposeQuad(words));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePairs(long index, Vec8 pairs, int count, int vectorized)
    {
        int column = (Warp.LaneIdx & 3) * 8;
        U4 words = Ptx.TransposeQuad(Pack(pairs));
        if (column >= count)
            return;
        if (vectorized != 0)
            Ptx.Store128(At(index + column), words);
        else
            Vec8.Store(this, index + column, Unpack(words), count - column, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Pack(Vec8 value)
    {
        return new U4
        {
            X = TDtype.PackX2(value.A, value.B),
            Y = TDtype.PackX2(value.C, value.D),
            Z = TDtype.PackX2(value.E, value.F),
            W = TDtype.PackX2(value.G, value.H),
        };
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Unpack(U4 words)
    {
        F2 ab = TDtype.Unpack(words.X), cd = TDtype.Unpack(words.Y), ef = TDtype.Unpack(words.Z),
            gh = TDtype.Unpack(words.W);
        return new Vec8 { A = ab.X, B = ab.Y, C = cd.X, D = cd.Y, E = ef.X, F = ef.Y, G = gh.X, H = gh.Y };
    }
}

/// <summary>A pointer to 32-bit integers.</summary>
[DeviceCode]
internal readonly struct GlobalPtrInt32
{
    private readonly long _address;

    public GlobalPtrInt32(long address) => _address = address;

    public bool IsNull => _address == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Load(long index) => Ptx.LoadInt(_address + index * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, int value) => Ptx.StoreInt(_address + index * 4, value);
}

/// <summary>A pointer to bytes.</summary>
[DeviceCode]
internal readonly struct GlobalPtrUInt8
{
    private readonly long _address;

    public GlobalPtrUInt8(long address) => _address = address;

    /// <summary>Address of byte <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Load(long index) => Ptx.LoadByte(_address + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, int value) => Ptx.StoreByte(_address + index, value);
}
