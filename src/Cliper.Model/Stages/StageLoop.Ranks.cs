using System.Diagnostics;
using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Kernels.Collectives;
using Cliper.Model.IO;

namespace Cliper.Model.Stages;

// A step of several ranks needs this beside that of one.
internal sealed partial class StageLoop
{
    private readonly CollectiveCosts _costs = device.Ranks.Costs;
    private readonly long _created = Stopwatch.GetTimestamp();
    private RankedGradients? _gradients;

    /// <summary>Whether every rank needs a sample of each batch, whose statistics the image tower uses.</summary>
    public bool NeedsSamplesOnAllRanks { get; init; }

    /// <summary>Parameters of which each rank has a part of the gradient: those before the features.</summary>
    public IReadOnlyList<Tensor> Partial { get; init; } = [];

    private RankGroup Ranks => device.Ranks;

    // Features that were kept are there on every rank: each computes the whole step.
    private bool IsShared => Ranks.Size > 1 && Divided is not null;

    private void CheckSamples(RankedBatch step)
    {
        if (NeedsSamplesOnAllRanks && step.Counts.Contains(0) && step.Whole.Count > 0)
            throw new SettingsException($"{stage.Name()}: a batch of {step.Whole.Count} gives no sample to one of "
                + $"{Ranks.Size} ranks, and the image tower normalizes by the statistics of each batch: set dropLast, "
                + "or a batchSize that leaves more in the last batch");
    }

    /// <summary>Says what the ranks' messages have cost, waiting for the slowest included.</summary>
    /// <param name="progress">Receives it; nothing where there is one rank.</param>
    public void TellCosts(IProgress<TrainEvent> progress)
    {
        if (Ranks.Size == 1)
            return;
        CollectiveCosts costs = Ranks.Costs;
        double share = 100 * (costs.Time - _costs.Time).TotalSeconds / Stopwatch.GetElapsedTime(_created).TotalSeconds;
        progress.Report(new MessageEvent(FormattableString.Invariant(
            $"{stage.Name()}: {Ranks.Size} ranks exchanged {(costs.Bytes - _costs.Bytes) / 1e6:F1} MB a rank in ")
            + FormattableString.Invariant($"{costs.Calls - _costs.Calls} calls, {share:F1} % of its time")));
    }

    private void ThrowIfAnyStops(CancellationToken cancellation)
    {
        if (Ranks.Size == 1 ? cancellation.IsCancellationRequested : Ranks.Any(cancellation.IsCancellationRequested))
            throw new OperationCanceledException(cancellation);
    }

    /// <summary>
    /// Checks that all ranks have the same weights: each computes its own update, and one whose arithmetic differs
    /// would train another model without a sign.
    /// </summary>
    /// <exception cref="CollectiveException">One has others.</exception>
    public void CheckSameOnAllRanks()
    {
        if (Ranks.Size == 1)
            return;
        var checksum = new Crc32();
        foreach (Tensor parameter in Optimizer.Parameters)
            checksum.Append(MemoryMarshal.AsBytes<float>(parameter.ToArray()));
        var all = new uint[Ranks.Size];
        Ranks.GatherEqual<uint>([checksum.Value], all);
        int other = Array.FindIndex(all, one => one != all[0]);
        if (other > 0)
            throw new CollectiveException(CollectiveFailure.Mixed, $"after epoch {Epoch + 1} of {stage.Name()} rank "
                + $"{other} has other weights than rank 0: their processors compute differently");
    }
}
