namespace Cliper.Kernels.Cpu.MachineCode;

/// <summary>The general-purpose registers that every x86-64 calling convention lets a function overwrite, and rdi,
/// which carries the first argument on Linux and macOS.</summary>
internal enum Gpr
{
    /// <summary>rax.</summary>
    Rax = 0,

    /// <summary>rcx.</summary>
    Rcx = 1,

    /// <summary>rdx.</summary>
    Rdx = 2,

    /// <summary>rdi.</summary>
    Rdi = 7,

    /// <summary>r8.</summary>
    R8 = 8,

    /// <summary>r9.</summary>
    R9 = 9,

    /// <summary>r10.</summary>
    R10 = 10,

    /// <summary>r11.</summary>
    R11 = 11,
}

/// <summary>A 512-bit register, zmm0 to zmm31.</summary>
/// <param name="Number">0 to 31.</param>
internal readonly record struct Zmm(int Number);

/// <summary>
/// Encodes the few x86-64 instructions that the emitted kernels are made of, in the shortest form, as GNU as does.
/// Encodings are those of the Intel Software Developer's Manual, volume 2: REX prefixes for general-purpose registers,
/// EVEX for zmm. A memory operand is [base + displacement].
/// </summary>
internal sealed class X64Assembler
{
    // EVEX fields: the opcode map of the instruction, and the legacy prefix that is folded into it.
    private const int Map0F = 1, Map0F38 = 2;
    private const int NoPrefix = 0, Prefix66 = 1, PrefixF3 = 2;

    private readonly List<byte> _code = [];

    /// <summary>The bytes so far.</summary>
    public byte[] Code => [.. _code];

    /// <summary>A label: the place of the next instruction.</summary>
    public int Here => _code.Count;

    /// <summary>target = source.</summary>
    public void Move(Gpr target, Gpr source) => RegisterForm(0x89, source, target);

    /// <summary>target = the 64 bits at [address + displacement].</summary>
    public void Load(Gpr target, Gpr address, int displacement)
    {
        Rex((int)target, (int)address);
        _code.Add(0x8B);
        Memory((int)target, address, displacement, 1);
    }

    /// <summary>target += source.</summary>
    public void Add(Gpr target, Gpr source) => RegisterForm(0x01, source, target);

    /// <summary>target += value.</summary>
    public void Add(Gpr target, int value)
    {
        Rex(0, (int)target);
        bool isShort = value is >= sbyte.MinValue and <= sbyte.MaxValue;
        if (!isShort && target == Gpr.Rax)
        {
            _code.Add(0x05);
        }
        else
        {
            _code.Add(isShort ? (byte)0x83 : (byte)0x81);
            Registers(0, (int)target);
        }
        Immediate(value, isShort ? 1 : 4);
    }

    /// <summary>target -= 1, which sets the zero flag.</summary>
    public void Decrement(Gpr target)
    {
        Rex(0, (int)target);
        _code.Add(0xFF);
        Registers(1, (int)target);
    }

    /// <summary>Jumps back to a label unless the last result was zero.</summary>
    public void JumpBackIfNotZero(int label)
    {
        int distance = label - (Here + 2);
        if (distance >= sbyte.MinValue)
        {
            _code.Add(0x75);
            Immediate(distance, 1);
            return;
        }
        Bytes(0x0F, 0x85);
        Immediate(label - (Here + 4), 4);
    }

    /// <summary>Fetches the cache line at [address] into the L2 cache; a bad address is ignored.</summary>
    public void PrefetchL2(Gpr address)
    {
        if ((int)address >= 8)
            _code.Add(0x41);
        Bytes(0x0F, 0x18);
        Memory(2, address, 0, 1);
    }

    /// <summary>Returns to the caller.</summary>
    public void Return() => _code.Add(0xC3);

    /// <summary>
    /// Clears the upper parts of zmm0 to zmm15, so that older SSE code of the caller runs at full speed.
    /// </summary>
    public void ClearUpper() => Bytes(0xC5, 0xF8, 0x77);

    /// <summary>target = 0.</summary>
    public void Zero(Zmm target) => Evex(Map0F, Prefix66, 0xEF, target, target, target);

    /// <summary>target = the 64 bytes at [address + displacement].</summary>
    public void Load(Zmm target, Gpr address, int displacement) =>
        Evex(Map0F, NoPrefix, 0x10, target, address, displacement, 64);

    /// <summary>[address + displacement] = the 64 bytes of source.</summary>
    public void Store(Gpr address, int displacement, Zmm source) =>
        Evex(Map0F, NoPrefix, 0x11, source, address, displacement, 64);

    /// <summary>Every 32-bit lane of target = the 32 bits at [address + displacement].</summary>
    public void Broadcast(Zmm target, Gpr address, int displacement) =>
        Evex(Map0F38, Prefix66, 0x58, target, address, displacement, 4);

    /// <summary>
    /// VDPBF16PS: to each fp32 lane of sum it adds the products of the upper, then of the lower bf16 halves of a and b.
    /// </summary>
    public void DotPairs(Zmm sum, Zmm a, Zmm b) => Evex(Map0F38, PrefixF3, 0x52, sum, a, b);

    private void RegisterForm(byte opcode, Gpr register, Gpr target)
    {
        Rex((int)register, (int)target);
        _code.Add(opcode);
        Registers((int)register, (int)target);
    }

    // REX.W with the fourth bits of the two registers.
    private void Rex(int register, int target) => _code.Add((byte)(0x48 | register >> 3 << 2 | target >> 3));

    private void Registers(int register, int target) =>
        _code.Add((byte)(0xC0 | (register & 7) << 3 | target & 7));

    private void Evex(int map, int prefix, byte opcode, Zmm target, Zmm first, Zmm second)
    {
        // The fourth and fifth bit of the second operand are B and X, those of the target R and R'.
        EvexPrefix(map, prefix, target.Number, first.Number, second.Number >> 4 & 1, second.Number >> 3 & 1);
        _code.Add(opcode);
        Registers(target.Number, second.Number);
    }

    private void Evex(int map, int prefix, byte opcode, Zmm register, Gpr address, int displacement, int scale)
    {
        EvexPrefix(map, prefix, register.Number, 0, 0, (int)address >> 3);
        _code.Add(opcode);
        Memory(register.Number, address, displacement, scale);
    }

    // Register bits are stored inverted. W is 0, the length is 512 bits, and there is no mask.
    private void EvexPrefix(int map, int prefix, int register, int first, int x, int b)
    {
        const int Length512 = 2 << 5;
        int r = register >> 3 & 1, upperR = register >> 4 & 1, v = first & 15, upperV = first >> 4;
        Bytes(0x62,
            (byte)((r << 7 | x << 6 | b << 5 | upperR << 4) ^ 0xF0 | map),
            (byte)(v << 3 ^ 0x78 | 1 << 2 | prefix),
            (byte)(Length512 | upperV << 3 ^ 8));
    }

    // ModRM and displacement of [address + displacement]; no register of Gpr is one that would need a SIB byte or a
    // displacement of zero. EVEX counts a one-byte displacement in units of the operand's size, scale.
    private void Memory(int register, Gpr address, int displacement, int scale)
    {
        int field = (register & 7) << 3 | (int)address & 7;
        if (displacement == 0)
        {
            _code.Add((byte)field);
            return;
        }
        bool isShort = displacement % scale == 0
            && displacement / scale is >= sbyte.MinValue and <= sbyte.MaxValue;
        _code.Add((byte)((isShort ? 0x40 : 0x80) | field));
        Immediate(isShort ? displacement / scale : displacement, isShort ? 1 : 4);
    }

    private void Bytes(params ReadOnlySpan<byte> bytes) => _code.AddRange(bytes);

    private void Immediate(int value, int bytes)
    {
        for (int i = 0; i < bytes; i++)
            _code.Add((byte)(value >> 8 * i));
    }
}
