using System.Runtime.CompilerServices;
using ILGPU;

namespace Cliper.Kernels.Ptx;

/// <summary>
/// Numbers in global memory as a kernel sees them: the type says how they are stored, so that one kernel serves fp32 and
/// the 16-bit formats. An argument of this type is an address.
/// </summary>
internal interface INumbers
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
    F8 Load8(long index);

    /// <summary>Sets eight numbers, as <see cref="Load8"/>.</summary>
    void Store8(long index, F8 value);

    /// <summary>
    /// A lane's part of a row of four accumulators side by side (<see cref="Gpu.MmaFp16"/>): of each eight of its 32 columns two, from
    /// 2 (lane % 4) on. All lanes of a warp call it, on cards with tensor cores.
    /// </summary>
    /// <param name="index">Where the 32 columns begin.</param>
    /// <param name="count">How many of them are there, 0 or less where the row is not; others are 0.</param>
    /// <param name="wide">Whether that is a multiple of eight and 16-byte accesses are aligned, 0 or 1.</param>
    F8 LoadPairs(long index, int count, int wide);

    /// <summary>Sets the columns that are there, as <see cref="LoadPairs"/>.</summary>
    void StorePairs(long index, F8 pairs, int count, int wide);
}

/// <summary>fp32 in global memory.</summary>
internal readonly struct Floats : INumbers
{
    private readonly long _address;

    public Floats(long address) => _address = address;

    public static int Size => 4;

    public bool IsNull => _address == 0;

    /// <summary>Address of number <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => Gpu.LoadFloat(_address + index * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => Gpu.StoreFloat(_address + index * 4, value);

    /// <summary>Numbers <paramref name="index"/> and the next, at an address that is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F2 Load2(long index) => Gpu.LoadFloats2(_address + index * 4);

    /// <summary>Sets two numbers, as <see cref="Load2"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store2(long index, F2 value) => Gpu.StoreFloats2(_address + index * 4, value);

    /// <summary>Four numbers from <paramref name="index"/> on, at an address that is a multiple of 16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F4 Load4(long index) => Gpu.LoadFloats(_address + index * 4);

    /// <summary>Sets four numbers, as <see cref="Load4"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) => Gpu.StoreFloats(_address + index * 4, value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F8 Load8(long index)
    {
        F4 low = Gpu.LoadFloats(_address + index * 4), high = Gpu.LoadFloats(_address + index * 4 + 16);
        F8 value;
        (value.A, value.B, value.C, value.D) = (low.X, low.Y, low.Z, low.W);
        (value.E, value.F, value.G, value.H) = (high.X, high.Y, high.Z, high.W);
        return value;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, F8 value)
    {
        F4 low, high;
        (low.X, low.Y, low.Z, low.W) = (value.A, value.B, value.C, value.D);
        (high.X, high.Y, high.Z, high.W) = (value.E, value.F, value.G, value.H);
        Gpu.StoreFloats(_address + index * 4, low);
        Gpu.StoreFloats(_address + index * 4 + 16, high);
    }

    // A quad's accesses of eight columns fill a sector of 32 bytes as they are.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F8 LoadPairs(long index, int count, int wide)
    {
        int column = (Warp.LaneIdx & 3) * 2;
        F2 ab = LoadPair(index + column, count - column, wide), cd = LoadPair(index + column + 8, count - column - 8, wide),
            ef = LoadPair(index + column + 16, count - column - 16, wide), gh = LoadPair(index + column + 24, count - column - 24, wide);
        F8 pairs;
        (pairs.A, pairs.B, pairs.C, pairs.D) = (ab.X, ab.Y, cd.X, cd.Y);
        (pairs.E, pairs.F, pairs.G, pairs.H) = (ef.X, ef.Y, gh.X, gh.Y);
        return pairs;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePairs(long index, F8 pairs, int count, int wide)
    {
        int column = (Warp.LaneIdx & 3) * 2;
        StorePair(index + column, pairs.A, pairs.B, count - column, wide);
        StorePair(index + column + 8, pairs.C, pairs.D, count - column - 8, wide);
        StorePair(index + column + 16, pairs.E, pairs.F, count - column - 16, wide);
        StorePair(index + column + 24, pairs.G, pairs.H, count - column - 24, wide);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private F2 LoadPair(long index, int count, int wide)
    {
        F2 pair = default;
        if (count > 0)
        {
            if (wide != 0)
                return Load2(index);
            pair.X = Load(index);
            if (count > 1)
                pair.Y = Load(index + 1);
        }
        return pair;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void StorePair(long index, float first, float second, int count, int wide)
    {
        if (count <= 0)
            return;
        if (wide != 0)
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
/// <typeparam name="TFormat">Which.</typeparam>
internal readonly struct Halves<TFormat> : INumbers where TFormat : struct, IFormat
{
    private readonly long _address;

    public Halves(long address) => _address = address;

    public static int Size => 2;

    public bool IsNull => _address == 0;

    /// <summary>Address of number <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index * 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public float Load(long index) => TFormat.Load(_address + index * 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, float value) => TFormat.Store(_address + index * 2, value);

    /// <summary>Sets four numbers from <paramref name="index"/> on, at an address that is a multiple of 8.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store4(long index, F4 value) =>
        Gpu.StoreInts2(_address + index * 2, (int)TFormat.Pack(value.X, value.Y), (int)TFormat.Pack(value.Z, value.W));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F8 Load8(long index) => Unpack(Gpu.Load128(_address + index * 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store8(long index, F8 value)
    {
        U4 packed;
        packed.X = TFormat.Pack(value.A, value.B);
        packed.Y = TFormat.Pack(value.C, value.D);
        packed.Z = TFormat.Pack(value.E, value.F);
        packed.W = TFormat.Pack(value.G, value.H);
        Gpu.Store128(_address + index * 2, packed);
    }

    // The lanes of a quad exchange pairs, so that each has eight neighbours: 16 bytes, and a quad whole sectors of 32.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public F8 LoadPairs(long index, int count, int wide)
    {
        int column = (Warp.LaneIdx & 3) * 8;
        U4 words = default;
        if (column < count)
            words = wide != 0 ? Gpu.Load128(At(index + column)) : Pack(Chunk.Load(this, index + column, count - column, 0));
        return Unpack(Gpu.TransposeQuad(words));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void StorePairs(long index, F8 pairs, int count, int wide)
    {
        int column = (Warp.LaneIdx & 3) * 8;
        U4 words = Gpu.TransposeQuad(Pack(pairs));
        if (column >= count)
            return;
        if (wide != 0)
            Gpu.Store128(At(index + column), words);
        else
            Chunk.Store(this, index + column, Unpack(words), count - column, 0);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static U4 Pack(F8 value)
    {
        U4 words;
        words.X = TFormat.PackAtOnce(value.A, value.B);
        words.Y = TFormat.PackAtOnce(value.C, value.D);
        words.Z = TFormat.PackAtOnce(value.E, value.F);
        words.W = TFormat.PackAtOnce(value.G, value.H);
        return words;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Unpack(U4 words)
    {
        F2 ab = TFormat.Unpack(words.X), cd = TFormat.Unpack(words.Y), ef = TFormat.Unpack(words.Z), gh = TFormat.Unpack(words.W);
        F8 value;
        (value.A, value.B, value.C, value.D) = (ab.X, ab.Y, cd.X, cd.Y);
        (value.E, value.F, value.G, value.H) = (ef.X, ef.Y, gh.X, gh.Y);
        return value;
    }
}

/// <summary>32-bit integers in global memory.</summary>
internal readonly struct Integers
{
    private readonly long _address;

    public Integers(long address) => _address = address;

    public bool IsNull => _address == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Load(long index) => Gpu.LoadInt(_address + index * 4);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, int value) => Gpu.StoreInt(_address + index * 4, value);
}

/// <summary>Bytes in global memory.</summary>
internal readonly struct Bytes
{
    private readonly long _address;

    public Bytes(long address) => _address = address;

    /// <summary>Address of byte <paramref name="index"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long At(long index) => _address + index;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Load(long index) => Gpu.LoadByte(_address + index);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(long index, int value) => Gpu.StoreByte(_address + index, value);
}
