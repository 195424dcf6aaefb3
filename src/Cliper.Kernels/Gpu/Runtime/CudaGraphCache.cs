namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// Decides what becomes of a step's work: it is launched when it is new, made a graph when it comes a second time, and from then on that
/// graph is replayed. Work that differs in anything, an address or a number, is other work: a graph never does what was not asked for.
/// </summary>
/// <param name="capture">Makes a graph; 0 where that is refused, and then no more graphs are asked for.</param>
/// <param name="replay">Sends a graph.</param>
/// <param name="launch">Sends the work piece by piece.</param>
/// <param name="end">Ends a graph that is kept no longer.</param>
internal sealed class CudaGraphCache(Func<CommandList, nint> capture, Action<nint> replay, Action<CommandList> launch, Action<nint> end)
{
    /// <summary>Lists that are remembered: of a step whose micro-batches alternate between buffers and differ in shape.</summary>
    public const int Kept = 16;

    // The one used last is the first.
    private readonly List<(CommandList Work, int Hash, nint Graph)> _known = [];

    /// <summary>False once a capture has been refused.</summary>
    public bool AreTaken { get; private set; } = true;

    /// <summary>Times that work was launched, captured and replayed; what has been captured is replayed at once.</summary>
    public (int Launched, int Captured, int Replayed) Counts { get; private set; }

    /// <summary>Sends work, which is not changed afterwards.</summary>
    public void Submit(CommandList work)
    {
        if (!AreTaken)
        {
            Launch(work);
            return;
        }
        int hash = work.GetHashCode(), at = _known.FindIndex(known => known.Hash == hash && known.Work.Equals(work));
        if (at < 0)
        {
            if (_known.Count == Kept)
            {
                end(_known[^1].Graph);
                _known.RemoveAt(_known.Count - 1);
            }
            _known.Insert(0, (work, hash, 0));
            Launch(work);
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
                End();
                Launch(work);
                return;
            }
            Counts = Counts with { Captured = Counts.Captured + 1 };
        }
        _known.Insert(0, (first, hash, graph));
        replay(graph);
        Counts = Counts with { Replayed = Counts.Replayed + 1 };
    }

    /// <summary>Ends all graphs.</summary>
    public void End()
    {
        foreach ((_, _, nint graph) in _known)
            end(graph);
        _known.Clear();
    }

    private void Launch(CommandList work)
    {
        launch(work);
        Counts = Counts with { Launched = Counts.Launched + 1 };
    }
}
