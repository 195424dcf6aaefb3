using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>A model's answers on a split.</summary>
/// <param name="Split">Name of the split.</param>
/// <param name="Confusion">Rows are labels, columns predictions.</param>
/// <param name="Predictions">One a sample, by index in the split; null where the sample could not be read.</param>
public sealed record Evaluation(string Split, ConfusionMatrix Confusion, IReadOnlyList<Prediction?> Predictions);

/// <summary>Runs a model over a split with the test transform.</summary>
public static class Evaluator
{
    /// <summary>Predicts every sample of <paramref name="loader"/>'s split.</summary>
    /// <param name="model">The model.</param>
    /// <param name="loader">Unshuffled, without augmentation.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public static Evaluation Run(CliperModel model, BatchLoader loader, CancellationToken cancellation = default)
    {
        using var tape = new Tape(model.Clip.Device, recording: false);
        Tensor descriptors = model.DescriptorFeatures(tape);
        return Run(model, descriptors, loader, cancellation);
    }

    /// <summary>As above, with the descriptors' features at hand, [K * M, D], normalised.</summary>
    public static Evaluation Run(CliperModel model, Tensor descriptors, BatchLoader loader,
        CancellationToken cancellation = default) =>
        Run(model.Clip.Device, loader, model.Classes, descriptors.Shape[0] / model.Classes.Count, (tape, batch) =>
            model.Logits(tape, model.ImageFeatures(tape, Pixels(tape, batch), batch.Frames), descriptors), cancellation);

    /// <summary>
    /// Zero-shot: class features are the normalised mean of the normalised features of every template's caption.
    /// </summary>
    /// <param name="model">Gives the towers, classes and temperature; its descriptors play no part.</param>
    /// <param name="captions">Token ids of each class's captions, [class][template].</param>
    /// <param name="loader">Unshuffled, without augmentation.</param>
    /// <param name="cancellation">Stops between batches.</param>
    public static Evaluation ZeroShot(CliperModel model, IReadOnlyList<IReadOnlyList<int[]>> captions, BatchLoader loader,
        CancellationToken cancellation = default)
    {
        using var tape = new Tape(model.Clip.Device, recording: false);
        int templates = captions[0].Count;
        Tensor features = tape.L2Normalize(model.Clip.Text.Forward(tape, [.. captions.SelectMany(c => c)]));
        Tensor classes = tape.L2Normalize(tape.Mean(
            features.Reshape(new Shape(captions.Count, templates, features.Shape.Width))));
        return Run(model.Clip.Device, loader, model.Classes, 1, (inner, batch) => model.Logits(inner,
            model.ImageFeatures(inner, Pixels(inner, batch), batch.Frames), classes), cancellation);
    }

    /// <summary>A batch's pixels as an input of the step, see <see cref="Batch.TakePixels"/>.</summary>
    internal static Tensor Pixels(Tape tape, Batch batch) => tape.Own(batch.TakePixels(tape.Device));

    private static Evaluation Run(Device device, BatchLoader loader, IReadOnlyList<string> classes, int subclasses,
        Func<Tape, Batch, Tensor> logits, CancellationToken cancellation)
    {
        var predictions = new Prediction?[loader.Split.Samples.Count];
        var confusion = new ConfusionMatrix(classes);
        foreach (Batch batch in loader.Epoch(0, cancellation: cancellation))
        {
            using Batch current = batch;
            using var tape = new Tape(device, recording: false);
            float[] rows = logits(tape, batch).ToArray();
            int width = classes.Count * subclasses;
            for (int i = 0; i < batch.Count; i++)
            {
                Prediction prediction = Prediction.FromLogits(rows.AsSpan(i * width, width), subclasses);
                predictions[batch.Indices[i]] = prediction;
                confusion.Add(batch.Labels[i], prediction.Class);
            }
        }
        return new Evaluation(loader.Split.Name, confusion, predictions);
    }
}
