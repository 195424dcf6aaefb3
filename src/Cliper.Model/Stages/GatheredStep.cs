using Cliper.Autograd;
using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Loading;

namespace Cliper.Model.Stages;

/// <summary>
/// A step in micro-batches, or on several ranks, whose gradients are those of the whole batch at once, though its loss
/// is no sum over samples: the modulating factor counts all of them (gradient cache, Gao et al. 2021,
/// arXiv 2101.06983). The features of all micro-batches of all ranks are computed; then, by each rank, the loss and its
/// gradient by them; then, where the image tower is trained, each rank plays its own micro-batches back from their
/// parts of that gradient. A rank with one micro-batch keeps its tape; one with several computes them once more.
/// </summary>
/// <param name="stage">The stage.</param>
/// <param name="size">Samples of a micro-batch.</param>
internal sealed class GatheredStep(IFeatureStage stage, int size)
{
    /// <summary>Adds the gradients of a batch to those of the trained parameters. On several ranks those of the image
    /// tower are this rank's part, and all others are whole.</summary>
    /// <param name="device">Device of the model.</param>
    /// <param name="samples">The samples of the step.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    /// <param name="scale">Factor of the loss.</param>
    /// <param name="read">Given the loss before it is played back.</param>
    /// <param name="cancellation">Ends the step between two micro-batches; not on several ranks.</param>
    public void Run(Device device, RankedBatch samples, int epoch, float scale, Action<StepLoss> read,
        CancellationToken cancellation)
    {
        Batch batch = samples.Own;
        using var outer = new Tape(device, recording: false);
        using var kept = new Tape(device, recording: stage.TrainsImageTower);
        Tensor? images = batch.Count > 0 ? batch.TakePixels(outer) : null;
        Tensor? own = batch.Count > size ? Gather(outer, images!, batch, cancellation)
            : images is not null ? stage.Features(kept, images, batch.Frames) : null;
        Tensor features = device.Ranks.Size == 1 ? Copy(outer, own!) : OfAllRanks(outer, own, samples.Counts);
        features.RequiresGrad = stage.TrainsImageTower;
        using (var tape = new Tape(device))
        {
            StepLoss loss = stage.Loss(tape, features, samples.Whole, epoch);
            read(loss);
            tape.Backward(loss.Total, scale);
        }
        if (!stage.TrainsImageTower || images is null)
            return;
        int first = samples.Counts.Take(device.Ranks.Rank).Sum();
        if (batch.Count <= size)
        {
            kept.BackwardFrom(own!, features.Rows(first, batch.Count).Gradient);
            return;
        }
        foreach ((int start, int count) in Parts(batch.Count))
        {
            cancellation.ThrowIfCancellationRequested();
            using var tape = new Tape(device);
            tape.BackwardFrom(stage.Features(tape, ImagesOf(images, batch, start, count), batch.Frames),
                features.Rows(first + start, count).Gradient);
        }
    }

    /// <summary>A stage as one whose steps are divided, into micro-batches or between ranks.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="tower">The image tower that it encodes with.</param>
    /// <param name="accumulate">Micro-batches of a step.</param>
    /// <exception cref="SettingsException">It cannot: the statistics of a micro-batch are not those of the
    /// batch.</exception>
    public static IFeatureStage Divisible(ITrainingStage stage, IImageTower tower, int accumulate) =>
        stage is IFeatureStage divisible
        && !(accumulate > 1 && stage.TrainsImageTower && tower.Buffers.Count > 0) ? divisible
        : throw new SettingsException(Refusal(stage.Stage));

    /// <summary>Says why a stage takes no micro-batches.</summary>
    public static string Refusal(TrainingStage stage) => $"{stage.Name()}.accumulate is above 1, and the image tower "
        + "normalizes by the statistics of each batch, which micro-batches would change: set it to 1";

    private Tensor Gather(Tape outer, Tensor images, Batch batch, CancellationToken cancellation)
    {
        Tensor? features = null;
        foreach ((int first, int count) in Parts(batch.Count))
        {
            cancellation.ThrowIfCancellationRequested();
            using var silent = new Tape(outer.Device, recording: false);
            Tensor part = stage.Features(silent, ImagesOf(images, batch, first, count), batch.Frames);
            features ??= outer.New(new Shape(batch.Count, part.Shape[1]), part.Type);
            outer.Device.Copy(part.Data, features.Rows(first, count).Data);
        }
        return features!;
    }

    // Its gradient is read after the loss's tape has ended, and must not be that of a tensor that another tape made.
    private static Tensor Copy(Tape outer, Tensor own)
    {
        Tensor copy = outer.New(own.Shape, own.Type);
        outer.Device.Copy(own.Data, copy.Data);
        return copy;
    }

    private Tensor OfAllRanks(Tape outer, Tensor? own, int[] counts)
    {
        RankGroup ranks = outer.Device.Ranks;
        int width = stage.FeatureSize, total = 0;
        var sizes = new int[counts.Length];
        for (int rank = 0; rank < counts.Length; rank++)
        {
            sizes[rank] = counts[rank] * width;
            total += counts[rank];
        }
        var all = new float[total * width];
        ranks.Gather<float>(own is null ? [] : own.ToArray(), all, sizes);
        return outer.Own(Tensor.From(outer.Device, all, new Shape(total, width)));
    }

    private IEnumerable<(int First, int Count)> Parts(int samples)
    {
        for (int first = 0; first < samples; first += size)
            yield return (first, Math.Min(size, samples - first));
    }

    private static Tensor ImagesOf(Tensor images, Batch batch, int first, int count) =>
        images.Rows(first * batch.Frames, count * batch.Frames);
}
