namespace PtxInterpreter;

/// <summary>
/// 32 threads that run together: their registers, and groups of lanes that stand at different instructions.
/// </summary>
internal sealed class WarpState
{
    public const int Lanes = 32;

    private readonly List<(int At, uint Mask)> _groups = [], _waiting = [];

    public WarpState(PtxProgram program, Block block, int index, int threads)
    {
        (Block, Index) = (block, index);
        Registers = new ulong[program.RegisterCount * Lanes];
        Copies = new List<Copy>[Lanes];
        Groups = new Queue<List<Copy>>[Lanes];
        for (int lane = 0; lane < Lanes; lane++)
            (Copies[lane], Groups[lane]) = ([], []);
        int lanes = Math.Min(Lanes, threads - index * Lanes);
        Live = lanes == Lanes ? uint.MaxValue : (1u << lanes) - 1;
        _groups.Add((0, Live));
    }

    /// <summary>A copy to shared memory under way.</summary>
    public readonly record struct Copy(ulong Shared, ulong Global, int Bytes, int Valid);

    public Block Block { get; }

    public int Index { get; }

    /// <summary>Register r of lane l at r * 32 + l.</summary>
    public ulong[] Registers { get; }

    /// <summary>Lanes that have not returned.</summary>
    public uint Live { get; private set; }

    /// <summary>Whether all live lanes wait at a barrier.</summary>
    public bool AtBarrier { get; set; }

    public bool Done => Live == 0;

    /// <summary>Copies of each lane that are in no group yet.</summary>
    public List<Copy>[] Copies { get; }

    /// <summary>Groups of copies of each lane that it has not waited for.</summary>
    public Queue<List<Copy>>[] Groups { get; }

    /// <summary>Its part in the products of its warpgroup.</summary>
    public WarpProducts Products { get; } = new();

    /// <summary>Runs to the next barrier or the end. Returns the number of lane-instructions.</summary>
    public long Run(PtxProgram program)
    {
        long executed = 0;
        while (_groups.Count > 0)
        {
            // The group furthest behind runs first, so that lanes which took different branches meet again.
            int chosen = 0;
            for (int index = 1; index < _groups.Count; index++)
                if (_groups[index].At < _groups[chosen].At)
                    chosen = index;
            (int at, uint mask) = _groups[chosen];
            int next = int.MaxValue;
            _groups.RemoveAt(chosen);
            for (int index = _groups.Count - 1; index >= 0; index--)
            {
                if (_groups[index].At == at)
                {
                    mask |= _groups[index].Mask;
                    _groups.RemoveAt(index);
                }
                else
                {
                    next = Math.Min(next, _groups[index].At);
                }
            }
            while (at < next)
            {
                Instruction instruction = program.Code[at];
                uint active = instruction.ActiveLanes(this, mask);
                executed += System.Numerics.BitOperations.PopCount(active);
                if (instruction.Sums.Length > 0)
                    Products.Touch(instruction);
                switch (instruction.Kind)
                {
                    case InstructionKind.Simple:
                        if (active != 0)
                            instruction.Execute(this, active);
                        break;
                    case InstructionKind.Branch:
                        if (active == mask)
                        {
                            at = instruction.Target;
                            _groups.Add((at, mask));
                            goto reselect;
                        }
                        if (active != 0)
                        {
                            _groups.Add((instruction.Target, active));
                            _groups.Add((at + 1, mask & ~active));
                            goto reselect;
                        }
                        break;
                    case InstructionKind.Return:
                        for (int lane = 0; lane < Lanes; lane++)
                            if ((active >> lane & 1) != 0
                                && (Copies[lane].Count > 0 || Groups[lane].Any(group => group.Count > 0)))
                                throw new PtxException("a thread returns before its copies to shared memory are there");
                        Live &= ~active;
                        if (active != mask)
                            _groups.Add((at + 1, mask & ~active));
                        goto reselect;
                    default:
                        foreach ((int waitingAt, uint waitingMask) in _waiting)
                            if (waitingAt == at)
                                active = mask |= waitingMask;
                        _waiting.RemoveAll(group => group.At == at);
                        if (active != Live)
                        {
                            // The others may still come, from a branch whose text stands elsewhere.
                            _waiting.Add((at, mask));
                            goto reselect;
                        }
                        if (instruction.Kind == InstructionKind.Barrier)
                        {
                            AtBarrier = true;
                            _groups.Add((at + 1, mask));
                            return executed;
                        }
                        if (Live != uint.MaxValue)
                            throw new PtxException($"lanes have returned before {instruction.Text}");
                        instruction.Execute(this, active);
                        break;
                }
                at++;
            }
            _groups.Add((at, mask));
        reselect:;
        }
        if (_waiting.Count == 1 && _waiting[0].Mask == Live)
        {
            // Those that did not come have ended.
            _groups.Add(_waiting[0]);
            _waiting.Clear();
            return executed + Run(program);
        }
        if (_waiting.Count > 0)
            throw new PtxException(
                $"lanes {Live & ~_waiting[0].Mask:x8} are not there at {program.Code[_waiting[0].At].Text}");
        return executed;
    }
}

/// <summary>A block of threads.</summary>
/// <param name="X">Its place in the grid.</param>
/// <param name="Y">Its place in the grid.</param>
/// <param name="Z">Its place in the grid.</param>
/// <param name="Shared">Its shared memory.</param>
/// <param name="Global">All global memory.</param>
/// <param name="Arguments">The launch's packed arguments.</param>
internal sealed record Block(int X, int Y, int Z, SharedMemory Shared, GlobalMemory Global, byte[] Arguments);

/// <summary>How an instruction steers its threads.</summary>
internal enum InstructionKind
{
    /// <summary>Lane by lane.</summary>
    Simple,

    /// <summary>Goes elsewhere.</summary>
    Branch,

    /// <summary>Ends the thread.</summary>
    Return,

    /// <summary>All threads of the block meet.</summary>
    Barrier,

    /// <summary>All lanes of the warp together.</summary>
    Collective,
}

/// <summary>An instruction, decoded.</summary>
internal sealed class Instruction(string text)
{
    public string Text { get; } = text;

    public InstructionKind Kind { get; set; }

    /// <summary>Runs it for the lanes of a mask.</summary>
    public Action<WarpState, uint> Execute { get; set; } = (_, _) => { };

    /// <summary>Registers that it names.</summary>
    public int[] Registers { get; set; } = [];

    /// <summary>Registers that it names and products of warpgroups sum up in, unless it is such a product.</summary>
    public int[] Sums { get; set; } = [];

    /// <summary>Where a branch goes.</summary>
    public int Target { get; set; } = -1;

    /// <summary>The guard's register; negative for none.</summary>
    public int Guard { get; set; } = -1;

    /// <summary>Whether the guard must be false.</summary>
    public bool GuardNegated { get; set; }

    /// <summary>Those lanes of a mask whose guard holds.</summary>
    public uint ActiveLanes(WarpState warp, uint mask)
    {
        if (Guard < 0)
            return mask;
        uint active = 0;
        ReadOnlySpan<ulong> guard = warp.Registers.AsSpan(Guard * WarpState.Lanes, WarpState.Lanes);
        for (int lane = 0; lane < WarpState.Lanes; lane++)
            if ((guard[lane] & 1) != 0 != GuardNegated)
                active |= 1u << lane;
        return active & mask;
    }
}
