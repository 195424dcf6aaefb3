using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Loading;

namespace Cliper.Model.Stages;

/// <summary>
/// A step in micro-batches whose gradients are those of the whole batch at once, though its loss is no sum over
/// samples: the modulating factor counts all of them (gradient cache, Gao et al. 2021, arXiv 2101.06983). The features
/// of all micro-batches are computed without a tape; then the loss and its gradient by them; then, where the image
/// tower is trained, each micro-batch once more, backward from its part of that gradient.
/// </summary>
/// <param name="stage">The stage.</param>
/// <param name="size">Samples of a micro-batch.</param>
internal sealed class GatheredStep(IFeatureStage stage, int size)
{
    /// <summary>Adds the gradients of a batch to those of the trained parameters.</summary>
    /// <param name="device">Device of the model.</param>
    /// <param name="batch">The samples of the step.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    /// <param name="scale">Factor of the loss.</param>
    /// <param name="read">Given the loss before it is played back.</param>
    /// <param name="cancellation">Ends the step between two micro-batches.</param>
    public void Run(Device device, Batch batch, int epoch, float scale, Action<StepLoss> read,
        CancellationToken cancellation)
    {
        using var outer = new Tape(device, recording: false);
        Tensor images = batch.TakePixels(outer);
        Tensor features = Gather(outer, images, batch, cancellation);
        features.RequiresGrad = stage.TrainsImageTower;
        using (var tape = new Tape(device))
        {
            StepLoss loss = stage.Loss(tape, features, batch, epoch);
            read(loss);
            tape.Backward(loss.Total, scale);
        }
        if (!stage.TrainsImageTower)
            return;
        foreach ((int first, int count) in Parts(batch.Count))
        {
            cancellation.ThrowIfCancellationRequested();
            using var tape = new Tape(device);
            tape.BackwardFrom(stage.Features(tape, ImagesOf(images, batch, first, count), batch.Frames),
                features.Rows(first, count).Gradient);
        }
    }

    /// <summary>A stage as one that takes micro-batches.</summary>
    /// <param name="stage">The stage.</param>
    /// <param name="tower">The image tower that it encodes with.</param>
    /// <exception cref="SettingsException">It cannot: the statistics of a micro-batch are not those of the
    /// batch.</exception>
    public static IFeatureStage Divisible(ITrainingStage stage, IImageTower tower) => stage is IFeatureStage divisible
        && !(stage.TrainsImageTower && tower.Buffers.Count > 0) ? divisible
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

    private IEnumerable<(int First, int Count)> Parts(int samples)
    {
        for (int first = 0; first < samples; first += size)
            yield return (first, Math.Min(size, samples - first));
    }

    private static Tensor ImagesOf(Tensor images, Batch batch, int first, int count) =>
        images.Rows(first * batch.Frames, count * batch.Frames);
}
