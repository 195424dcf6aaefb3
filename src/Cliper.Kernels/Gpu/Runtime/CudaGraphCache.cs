namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// The CUDA graphs of steps, by their command lists: a new list is launched, the second time it is captured as a graph,
/// and from then on that graph is replayed. A list that differs in an address or a scalar is another list, so a graph
/// never computes anything but what was submitted.
/// </summary>
/// <param name="capture">Captures a graph; 0 where the driver refuses, and then no more graphs are asked for.</param>
/// <param name="replay">Launches a graph.</param>
/// <param name="launch">Submits a command list one command at a time.</param>
/// <param name="destroy">Destroys a graph that is evicted.</param>
internal sealed class CudaGraphCache(Func<CommandList, nint> capture, Action<nint> replay, Action<CommandList> launch,
    Action<nint> destroy)
{
    /// <summary>
    /// Capacity in command lists: enough for a step whose micro-batches alternate between buffers and differ in shape.
    /// </summary>
    public const int Capacity = 16;

    // The most recently used list is the first.
    private readonly List<(CommandList Commands, int Hash, nint Graph)> _known = [];

    /// <summary>False once a capture has been refused.</summary>
    public bool AreTaken { get; private set; } = true;

    /// <summary>
    /// How often a command list was launched, captured and replayed; a graph is replayed as soon as it is captured.
    /// </summary>
    public (int Launched, int Captured, int Replayed) Counts { get; private set; }

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
                destroy(_known[^1].Graph);
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
            graph = capture(first);
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
        replay(graph);
        Counts = Counts with { Replayed = Counts.Replayed + 1 };
    }

    /// <summary>Destroys all graphs.</summary>
    public void Clear()
    {
        foreach ((_, _, nint graph) in _known)
            destroy(graph);
        _known.Clear();
    }

    private void Launch(CommandList commands)
    {
        launch(commands);
        Counts = Counts with { Launched = Counts.Launched + 1 };
    }
}
