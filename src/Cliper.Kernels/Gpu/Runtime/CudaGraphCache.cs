namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// Records the commands of a step, and keeps the CUDA graphs of steps by their command lists: a new list is launched,
/// the second time it is captured as a graph, and from then on that graph is replayed. A list that differs in an
/// address or a scalar is another list, so a graph never computes anything but what was submitted.
/// </summary>
/// <param name="device">Runs the commands and the graphs. Once it refuses a capture, no more graphs are asked
/// for.</param>
internal sealed class CudaGraphCache(GpuDevice device)
{
    /// <summary>
    /// Capacity in command lists: enough for a step whose micro-batches alternate between buffers and differ in shape.
    /// </summary>
    public const int Capacity = 16;

    // The most recently used list is the first.
    private readonly List<(CommandList Commands, int Hash, nint Graph)> _known = [];
    // Commands of the step that is being recorded and that are not submitted yet; null outside a recorded step.
    private CommandList? _step;

    /// <summary>False once a capture has been refused.</summary>
    public bool AreTaken { get; private set; } = true;

    /// <summary>
    /// How often a command list was launched, captured and replayed; a graph is replayed as soon as it is captured.
    /// </summary>
    public (int Launched, int Captured, int Replayed) Counts { get; private set; }

    /// <summary>Whether a step is being recorded.</summary>
    public bool IsRecording => _step is not null;

    /// <summary>Whether the step has commands that are not submitted yet.</summary>
    public bool HasCommands => _step is { Count: > 0 };

    /// <summary>Begins to record a step, unless a capture has been refused.</summary>
    public void BeginStep() => _step = AreTaken ? new CommandList() : null;

    /// <summary>Ends the recording; commands that were not submitted are dropped.</summary>
    public void EndStep() => _step = null;

    /// <summary>Records a command; <paramref name="arguments"/> are the packed arguments of a launch.</summary>
    public void Add(CommandList.Command command, ReadOnlySpan<byte> arguments) => _step!.Add(command, arguments);

    /// <summary>Submits the commands recorded so far, and records on.</summary>
    public void SubmitRecorded()
    {
        CommandList commands = _step!;
        _step = new CommandList();
        Submit(commands);
    }

    /// <summary>Submits a command list, which must not change afterwards.</summary>
    public void Submit(CommandList commands)
    {
        if (!AreTaken)
        {
            Launch(commands);
            return;
        }
        int hash = commands.GetHashCode(), at = _known.FindIndex(known => known.Hash == hash
            && known.Commands.Equals(commands));
        if (at < 0)
        {
            if (_known.Count == Capacity)
            {
                device.DestroyGraph(_known[^1].Graph);
                _known.RemoveAt(_known.Count - 1);
            }
            _known.Insert(0, (commands, hash, 0));
            Launch(commands);
            return;
        }
        (CommandList first, _, nint graph) = _known[at];
        _known.RemoveAt(at);
        if (graph == 0)
        {
            graph = device.Capture(first);
            if (graph == 0)
            {
                AreTaken = false;
                Clear();
                Launch(commands);
                return;
            }
            Counts = Counts with { Captured = Counts.Captured + 1 };
        }
        _known.Insert(0, (first, hash, graph));
        device.Replay(graph);
        Counts = Counts with { Replayed = Counts.Replayed + 1 };
    }

    /// <summary>Destroys all graphs.</summary>
    public void Clear()
    {
        foreach ((_, _, nint graph) in _known)
            device.DestroyGraph(graph);
        _known.Clear();
    }

    private void Launch(CommandList commands)
    {
        commands.SubmitTo(device);
        Counts = Counts with { Launched = Counts.Launched + 1 };
    }
}
