using Cliper.Autograd;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>Features of whole splits.</summary>
internal static class SplitFeatures
{
    /// <summary>The features of a batch: those it brings, or what the image tower makes of its pictures.</summary>
    /// <param name="tape">The tape that owns them.</param>
    /// <param name="model">The model.</param>
    /// <param name="batch">The samples.</param>
    /// <returns>[B, D], not normalized.</returns>
    public static Tensor Of(Tape tape, CliperModel model, Batch batch) => batch.Features is { } kept
        ? tape.Own(Tensor.From(tape.Device, kept, new Shape(batch.Count, model.Clip.Config.EmbedSize)))
        : model.ImageFeatures(tape, batch.TakePixels(tape), batch.Frames);

    /// <summary>The features of all samples of a split.</summary>
    /// <param name="model">The model.</param>
    /// <param name="loader">The split, unshuffled and without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    public static FeatureTable Of(CliperModel model, BatchLoader loader, Action<double>? progress,
        CancellationToken cancellation)
    {
        int width = model.Clip.Config.EmbedSize, samples = loader.Split.Samples.Count;
        var table = new SplitRows(samples, width);
        var ticker = new WorkTicker(loader.BatchesPerEpoch, progress);
        foreach (Batch batch in loader.Epoch(0, cancellation: cancellation))
        {
            using Batch current = batch;
            using var tape = new Tape(model.Clip.Device, recording: false) { Cancellation = cancellation };
            if (batch.Count > 0)
                table.Add(batch.Indices, model.ImageFeatures(tape, batch.TakePixels(tape), batch.Frames).ToArray());
            ticker.Done();
        }
        table.Share(model.Clip.Device.Ranks);
        return new FeatureTable(width, table.Values, table.IsThere) { Skipped = loader.SkippedOfAllRanks() };
    }
}
