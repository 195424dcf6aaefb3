using System.Globalization;
using System.Text.RegularExpressions;

namespace PtxInterpreter;

/// <summary>
/// PTX text, decoded: the entry point's parameters, shared arrays and instructions. It knows the instructions that this
/// project's kernels use and refuses others by name.
/// </summary>
internal sealed partial class PtxProgram
{
    private static readonly string[] SpecialRegisters =
    [
        "%tid.x", "%tid.y", "%tid.z", "%ntid.x", "%ntid.y", "%ntid.z", "%ctaid.x", "%ctaid.y", "%ctaid.z",
        "%nctaid.x", "%nctaid.y", "%nctaid.z", "%laneid",
    ];

    private readonly Dictionary<string, int> _registers = [];
    private readonly List<(int Register, ulong Value)> _constants = [];
    private readonly Dictionary<string, int> _parameters = [], _shared = [], _labels = [];
    private readonly List<(Instruction Instruction, string Label)> _branches = [];
    private readonly List<int> _named = [];
    private readonly HashSet<int> _sums = [];
    private readonly int _sharedBytes;
    private readonly string? _dynamicName;

    public PtxProgram(string ptx)
    {
        int entry = ptx.IndexOf(".visible .entry", StringComparison.Ordinal);
        if (entry < 0)
            throw new PtxException("no entry point");
        _dynamicName = DynamicShared().Match(ptx[..entry]) is { Success: true } dynamic ? dynamic.Groups[1].Value
            : null;
        foreach (string name in SpecialRegisters)
            Register(name);
        int open = ptx.IndexOf('(', entry), close = ptx.IndexOf("\n)", open, StringComparison.Ordinal);
        int argument = 0;
        foreach (Match match in Parameter().Matches(ptx[open..close]))
        {
            bool array = match.Groups[4].Success;
            int size = array ? int.Parse(match.Groups[4].Value) : Size(match.Groups[2].Value);
            int alignment = match.Groups[1].Success ? int.Parse(match.Groups[1].Value) : size;
            argument = (argument + alignment - 1) / alignment * alignment;
            _parameters.Add(match.Groups[3].Value, argument);
            argument += size;
        }
        ArgumentBytes = argument;
        Threads = int.Parse(MaxThreads().Match(ptx, close).Groups[1].Value);

        int start = ptx.IndexOf('{', close) + 1;
        var scopes = new Stack<Dictionary<string, string>>();
        int scopeCount = 0;
        foreach (string statement in Statements(ptx[start..ptx.LastIndexOf('}')]))
        {
            if (statement == "{")
                scopes.Push([]);
            else if (statement == "}")
                scopes.Pop();
            else if (statement.EndsWith(':'))
                _labels.Add(statement[..^1], Code.Count);
            else if (statement.StartsWith(".reg", StringComparison.Ordinal))
            {
                if (scopes.Count > 0)
                {
                    scopeCount++;
                    foreach (string name in statement.Split([' ', '\t'], 3, StringSplitOptions.RemoveEmptyEntries)[2]
                        .Split(','))
                        scopes.Peek().Add(name.Trim(), $"%scope{scopeCount}_{name.Trim()}");
                }
            }
            else if (SharedArray().Match(statement) is { Success: true } array)
            {
                int alignment = int.Parse(array.Groups[1].Value);
                _sharedBytes = (_sharedBytes + alignment - 1) / alignment * alignment;
                _shared.Add(array.Groups[2].Value, _sharedBytes);
                _sharedBytes += int.Parse(array.Groups[3].Value);
            }
            else if (statement.StartsWith(".local", StringComparison.Ordinal))
                throw new PtxException($"local memory: {statement}");
            else if (!statement.StartsWith(".pragma", StringComparison.Ordinal))
            {
                string renamed = statement;
                foreach ((string name, string unique) in scopes.SelectMany(scope => scope))
                    renamed = Regex.Replace(renamed, $@"(?<![%\w.]){Regex.Escape(name)}(?!\w)", unique);
                _named.Clear();
                Decode(renamed);
                Code[^1].Registers = [.. _named];
            }
        }
        foreach (Instruction instruction in Code)
            if (!instruction.Text.StartsWith("wgmma.mma_async", StringComparison.Ordinal))
                instruction.Sums = [.. instruction.Registers.Where(_sums.Contains)];
        foreach ((Instruction instruction, string label) in _branches)
            instruction.Target = _labels[label];
        Code.Add(new Instruction("end") { Kind = InstructionKind.Return });
    }

    public List<Instruction> Code { get; } = [];

    public int RegisterCount => _registers.Count;

    public int ArgumentBytes { get; }

    /// <summary>Threads of a block.</summary>
    public int Threads { get; }

    /// <summary>Runs every block of a launch.</summary>
    /// <param name="blocks">The grid.</param>
    /// <param name="arguments">Packed arguments.</param>
    /// <param name="dynamicShared">Bytes of dynamic shared memory.</param>
    /// <param name="global">The memory that it may access.</param>
    /// <returns>Lane-instructions executed.</returns>
    public long Launch((int X, int Y, int Z) blocks, byte[] arguments, int dynamicShared, GlobalMemory global)
    {
        if (arguments.Length != ArgumentBytes)
            throw new PtxException($"{arguments.Length} bytes of arguments, expected {ArgumentBytes}");
        long executed = 0;
        for (int z = 0; z < blocks.Z; z++)
            for (int y = 0; y < blocks.Y; y++)
                for (int x = 0; x < blocks.X; x++)
                    executed += Run(new Block(x, y, z, MakeShared(dynamicShared), global, arguments), blocks);
        return executed;
    }

    private SharedMemory MakeShared(int dynamic) => new(DynamicOffset + dynamic, _sums.Count > 0 ? Threads : 0);

    // Dynamic shared memory begins at a multiple of 16, which is all that its declaration says, and beyond the first
    // 128 bytes: a kernel that needs more has to see to it.
    private int DynamicOffset => (_sharedBytes + 31) / 32 * 32 + (_dynamicName is null ? 0 : 144);

    private long Run(Block block, (int X, int Y, int Z) blocks)
    {
        long executed = 0;
        var warps = new WarpState[(Threads + WarpState.Lanes - 1) / WarpState.Lanes];
        for (int index = 0; index < warps.Length; index++)
        {
            warps[index] = new WarpState(this, block, index, Threads);
            ulong[] registers = warps[index].Registers;
            foreach ((int register, ulong value) in _constants)
                registers.AsSpan(register * WarpState.Lanes, WarpState.Lanes).Fill(value);
            for (int lane = 0; lane < WarpState.Lanes; lane++)
            {
                Special("%tid.x", (uint)(index * WarpState.Lanes + lane));
                Special("%ntid.x", (uint)Threads);
                Special("%ntid.y", 1);
                Special("%ntid.z", 1);
                Special("%ctaid.x", (uint)block.X);
                Special("%ctaid.y", (uint)block.Y);
                Special("%ctaid.z", (uint)block.Z);
                Special("%nctaid.x", (uint)blocks.X);
                Special("%nctaid.y", (uint)blocks.Y);
                Special("%nctaid.z", (uint)blocks.Z);
                Special("%laneid", (uint)lane);
                void Special(string name, ulong value) => registers[_registers[name] * WarpState.Lanes + lane] = value;
            }
        }
        while (warps.Any(warp => !warp.Done))
        {
            foreach (WarpState warp in warps)
                if (!warp.Done)
                    executed += warp.Run(this);
            block.Shared.Barrier();
            foreach (WarpState warp in warps)
            {
                warp.AtBarrier = false;
                if (warp.Products.Issued != warps[warp.Index / 4 * 4].Products.Issued)
                    throw new PtxException(
                        $"warps {warp.Index / 4 * 4} and {warp.Index} of a warpgroup have issued different products");
            }
        }
        return executed;
    }

    internal int Register(string name)
    {
        name = name.Trim();
        if (!_registers.TryGetValue(name, out int index))
            _registers.Add(name, index = _registers.Count);
        _named.Add(index);
        return index;
    }

    /// <summary>
    /// The register that holds an operand: itself, or one set to the constant before the kernel begins.
    /// </summary>
    internal int Operand(string text)
    {
        text = text.Trim();
        if (text[0] == '%')
            return text.StartsWith("%ntid", StringComparison.Ordinal) || _registers.ContainsKey(text)
                || !text.Contains('.')
                ? Register(text)
                : throw new PtxException($"unknown register {text}");
        if (_registers.ContainsKey(text))
            return Register(text);
        ulong value = text switch
        {
            ['0', 'f' or 'F' or 'd' or 'D' or 'x', .. var digits] => ulong.Parse(digits, NumberStyles.HexNumber),
            ['-', ..] => (ulong)long.Parse(text, CultureInfo.InvariantCulture),
            [>= '0' and <= '9', ..] => ulong.Parse(text, CultureInfo.InvariantCulture),
            _ when _shared.TryGetValue(text, out int offset) => (ulong)offset,
            _ when text == _dynamicName => (ulong)DynamicOffset,
            _ when _parameters.TryGetValue(text, out int offset) => (ulong)offset,
            _ => throw new PtxException($"unknown operand {text}"),
        };
        int register = Register(text);
        _constants.Add((register, value));
        return register;
    }

    /// <summary>Splits [base + offset].</summary>
    internal (int Register, ulong Offset) Address(string text)
    {
        text = text.Trim('[', ']', ' ');
        int plus = text.IndexOf('+');
        return plus < 0
            ? (Operand(text), 0)
            : (Operand(text[..plus]), (ulong)long.Parse(text.AsSpan(plus + 1), CultureInfo.InvariantCulture));
    }

    internal static int Size(string type) => type switch
    {
        "pred" => 1,
        "b8" or "u8" or "s8" => 1,
        "b16" or "u16" or "s16" or "f16" or "bf16" => 2,
        "b32" or "u32" or "s32" or "f32" or "f16x2" or "bf16x2" => 4,
        "b64" or "u64" or "s64" or "f64" => 8,
        _ => throw new PtxException($"unknown type {type}"),
    };

    private static IEnumerable<string> Statements(string text)
    {
        int start = 0, depth = 0;
        for (int at = 0; at < text.Length; at++)
        {
            string before = text[start..at];
            bool fresh = depth == 0 && before.All(char.IsWhiteSpace);
            switch (text[at])
            {
                case '{' or '}' when fresh:
                    yield return text[at].ToString();
                    start = at + 1;
                    break;
                case '{':
                    depth++;
                    break;
                case '}':
                    depth--;
                    break;
                case ';':
                    yield return before.Trim();
                    start = at + 1;
                    break;
                case ':' when Label().IsMatch(before.Trim()) && text[at - 1] != ':' && text[at + 1] != ':':
                    yield return before.Trim() + ":";
                    start = at + 1;
                    break;
            }
        }
    }

    [GeneratedRegex(@"\.extern \.shared \.align \d+ \.b8 (\w+)\[\]")]
    private static partial Regex DynamicShared();

    [GeneratedRegex(@"\.param (?:\.align (\d+) )?\.(\w+) (\w+)(?:\[(\d+)\])?")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\.maxntid (\d+)")]
    private static partial Regex MaxThreads();

    [GeneratedRegex(@"^\.shared \.align (\d+) \.b8 (\w+)\[(\d+)\]")]
    private static partial Regex SharedArray();

    [GeneratedRegex(@"^[A-Za-z_]\w*$")]
    private static partial Regex Label();
}
