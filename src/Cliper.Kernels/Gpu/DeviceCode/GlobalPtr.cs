using System.Runtime.CompilerServices;
using ILGPU;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>
/// Numbers in global memory as a kernel sees them: the type says how they are stored, so that one kernel serves fp32
/// and the 16-bit formats. An argument of this type is an address.
/// </summary>
internal interface IGlobalPtr
{
    /// <summary>Bytes of one number.</summary>
    static abstract int Size { get; }

    /// <summary>Whether there is no array.</summary>
    bool IsNull { get; }

    /// <summary>Number <paramref name="index"/>.</summary>
    float Load(long index);

    /// <summary>Sets number <paramref name="index"/>.</summary>
    void Store(long index, float value);

    /// <summary>Eight numbers from <paramref name="index"/> on, at an address that is a multiple of 16.</summary>
    Vec8 Load8(long index);

    /// <summary>Sets eight numbers, as <see cref="Load8"/>.</summary>
    void Store8(long index, Vec8 value);

    /// <summary>
    /// A lane's part of a row of four accumulators side by side (<see cref="Ptx.MmaFp16"/>): of each eight of its 32
    /// columns two, from 2 (lane % 4) on. All lanes of a warp call it, on cards with tensor cores.
    /// </summary>
    /// <param name="index">Where the 32 columns begin.</param>
    /// <param name="count">How many of them are there, 0 or less where the row is not; others are 0.</param>
    /// <param name="vectorized">Whether that is a multiple of eight and 16-byte accesses are aligned, 0 or 1.</param>
    Vec8 LoadPairs(long index, int count, int vectorized);

    /// <summary>Sets the columns that are there, as <see cref="LoadPairs"/>.</summary>
    void StorePairs(long index, Vec8 pairs, int count, int vectorized);
}

/// <summary>fp32 in global memory.</summary>
internal readonly struct GlobalPtrFp32 : IGlobalPtr
{
    private readonly long _address;

    public GlobalPtrFp32(long address) => _address = address;

    public static int Size => 4;

    public bool IsNull => _address == 0;

    /// <summary>Address of number <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => Ptx.LoadFloat(_address + index * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => Ptx.StoreFloat(_address + index * 4, value);

    /// <summary>Numbers <paramref name="index"/> and the next, at an address that is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F2 Load2(long index) => Ptx.LoadFloats2(_address + index * 4);

    /// <summary>Sets two numbers, as <see cref="Load2"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store2(long index, F2 value) => Ptx.StoreFloats2(_address + index * 4, value);

    /// <summary>Four numbers from <paramref name="index"/> on, at an address that is a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F4 Load4(long index) => Ptx.LoadFloats(_address + index * 4);

    /// <summary>Sets four numbers, as <see cref="Load4"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) => Ptx.StoreFloats(_address + index * 4, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 Load8(long index)
    {
        F4 low = Ptx.LoadFloats(_address + index * 4), high = Ptx.LoadFloats(_address + index * 4 + 16);
        Vec8 value;
        (value.A, value.B, value.C, value.D) = (low.X, low.Y, low.Z, low.W);
        (value.E, value.F, value.G, value.H) = (high.X, high.Y, high.Z, high.W);
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, Vec8 value)
    {
        F4 low, high;
        (low.X, low.Y, low.Z, low.W) = (value.A, value.B, value.C, value.D);
        (high.X, high.Y, high.Z, high.W) = (value.E, value.F, value.G, value.H);
        Ptx.StoreFloats(_address + index * 4, low);
        Ptx.StoreFloats(_address + index * 4 + 16, high);
    }

    // A quad's accesses of eight columns fill a sector of 32 bytes as they are.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 LoadPairs(long index, int count, int vectorized)
    {
        int column = (Warp.LaneIdx & 3) * 2;
        F2 ab = LoadPair(index + column, count - column, vectorized),
            cd = LoadPair(index + column + 8, count - column - 8, vectorized),
            ef = LoadPair(index + column + 16, count - column - 16, vectorized),
            gh = LoadPair(index + column + 24, count - column - 24, vectorized);
        Vec8 pairs;
        (pairs.A, pairs.B, pairs.C, pairs.D) = (ab.X, ab.Y, cd.X, cd.Y);
        (pairs.E, pairs.F, pairs.G, pairs.H) = (ef.X, ef.Y, gh.X, gh.Y);
        return pairs;
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
            F2 pair;
            (pair.X, pair.Y) = (first, second);
            Store2(index, pair);
            return;
        }
        Store(index, first);
        if (count > 1)
            Store(index + 1, second);
    }
}

/// <summary>Numbers of 16 bits in global memory; stores round to nearest.</summary>
/// <typeparam name="TDtype">Which.</typeparam>
internal readonly struct GlobalPtr16<TDtype> : IGlobalPtr where TDtype : struct, IDtype16
{
    private readonly long _address;

    public GlobalPtr16(long address) => _address = address;

    public static int Size => 2;

    public bool IsNull => _address == 0;

    /// <summary>Address of number <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => TDtype.Load(_address + index * 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => TDtype.Store(_address + index * 2, value);

    /// <summary>Sets four numbers from <paramref name="index"/> on, at an address that is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) =>
        Ptx.StoreInts2(_address + index * 2, (int)TDtype.Pack(value.X, value.Y), (int)TDtype.Pack(value.Z, value.W));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Vec8 Load8(long index) => Unpack(Ptx.Load128(_address + index * 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, Vec8 value)
    {
        U4 packed;
        packed.X = TDtype.Pack(value.A, value.B);
        packed.Y = TDtype.Pack(value.C, value.D);
        packed.Z = TDtype.Pack(value.E, value.F);
        packed.W = TDtype.Pack(value.G, value.H);
        Ptx.Store128(_address + index * 2, packed);
    }

    // The lanes of a quad exchange pairs, so that each has eight neighbours: 16 bytes, and a quad whole sectors of 32.
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
        U4 words;
        words.X = TDtype.PackX2(value.A, value.B);
        words.Y = TDtype.PackX2(value.C, value.D);
        words.Z = TDtype.PackX2(value.E, value.F);
        words.W = TDtype.PackX2(value.G, value.H);
        return words;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Unpack(U4 words)
    {
        F2 ab = TDtype.Unpack(words.X), cd = TDtype.Unpack(words.Y), ef = TDtype.Unpack(words.Z),
            gh = TDtype.Unpack(words.W);
        Vec8 value;
        (value.A, value.B, value.C, value.D) = (ab.X, ab.Y, cd.X, cd.Y);
        (value.E, value.F, value.G, value.H) = (ef.X, ef.Y, gh.X, gh.Y);
        return value;
    }
}

/// <summary>32-bit integers in global memory.</summary>
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

/// <summary>Bytes in global memory.</summary>
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
