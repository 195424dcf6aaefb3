using Cliper.Autograd;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>A model's answers on a split.</summary>
/// <param name="Split">Name of the split.</param>
/// <param name="Confusion">Rows are labels, columns predictions.</param>
/// <param name="Predictions">One a sample, by index in the split; null where the sample could not be read.</param>
public sealed record Evaluation(string Split, ConfusionMatrix Confusion, IReadOnlyList<Prediction?> Predictions)
{
    /// <summary>The samples' labels; without any where only the counts were kept.</summary>
    public IReadOnlyList<int> Labels { get; init; } = [];

    /// <summary>The predictions that there are, with their labels.</summary>
    public IReadOnlyList<LabeledAnswer> Answers => [.. Predictions.Zip(Labels).Where(pair => pair.First is not null)
        .Select(pair => new LabeledAnswer(pair.First!.Probabilities, pair.Second))];

    /// <summary>Expected calibration error; null where only the counts were kept.</summary>
    public double? CalibrationError => Calibration.ErrorOf(Answers);
}

/// <summary>Runs a model over a split with the test transform.</summary>
public static class Evaluator
{
    /// <summary>Predicts every sample of <paramref name="loader"/>'s split.</summary>
    /// <param name="model">The model.</param>
    /// <param name="loader">Unshuffled, without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    public static Evaluation Run(CliperModel model, BatchLoader loader, Action<double>? progress = null,
        CancellationToken cancellation = default)
    {
        using var tape = new Tape(model.Clip.Device, recording: false);
        return Run(model, model.ClassFeatures(tape), loader, progress, cancellation);
    }

    /// <summary>Predicts every sample with class features that were computed before.</summary>
    /// <param name="model">The model.</param>
    /// <param name="classFeatures">Class features that serve every image; null where there are none.</param>
    /// <param name="loader">Unshuffled, without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    public static Evaluation Run(CliperModel model, Tensor? classFeatures, BatchLoader loader,
        Action<double>? progress = null, CancellationToken cancellation = default) =>
        Run(model, loader, model.Prompts.PromptsPerClass, (tape, batch) =>
            model.Logits(tape, SplitFeatures.Of(tape, model, batch), classFeatures), progress, cancellation);

    /// <summary>Predicts every sample zero-shot, by captions of the classes: see <see cref="FixedPrompts"/>.</summary>
    /// <param name="model">Gives the towers, classes and temperature; its own prompts play no part.</param>
    /// <param name="captions">Token ids of each class's captions, [class][template].</param>
    /// <param name="loader">Unshuffled, without augmentation.</param>
    /// <param name="progress">Told, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    public static Evaluation ZeroShot(CliperModel model, IReadOnlyList<IReadOnlyList<int[]>> captions,
        BatchLoader loader, Action<double>? progress = null, CancellationToken cancellation = default)
    {
        using var tape = new Tape(model.Clip.Device, recording: false);
        IPromptLearner prompts = new FixedPrompts(captions);
        Tensor classes = prompts.ClassFeatures(tape, model.Clip, imageFeatures: null);
        return Run(model, loader, prompts.PromptsPerClass, (inner, batch) =>
            prompts.Logits(inner, SplitFeatures.Of(inner, model, batch), classes, model.Temperature), progress,
            cancellation);
    }

    private static Evaluation Run(CliperModel model, BatchLoader loader, int promptsPerClass,
        Func<Tape, Batch, Tensor> logits, Action<double>? progress, CancellationToken cancellation)
    {
        var ticker = new WorkTicker(loader.BatchesPerEpoch, progress);
        var rows = new SplitRows(loader.Split.Samples.Count, model.Classes.Count * promptsPerClass);
        foreach (Batch batch in loader.Epoch(0, cancellation: cancellation))
        {
            using Batch current = batch;
            using var tape = new Tape(model.Clip.Device, recording: false) { Cancellation = cancellation };
            if (batch.Count > 0)
                rows.Add(batch.Indices, logits(tape, batch).ToArray());
            ticker.Done();
        }
        rows.Share(model.Clip.Device.Ranks);
        var predictions = new Prediction?[loader.Split.Samples.Count];
        var confusion = new ConfusionMatrix(model.Classes);
        for (int index = 0; index < predictions.Length; index++)
        {
            if (!rows.IsThere[index])
                continue;
            Prediction prediction = Prediction.FromLogits(rows.Of(index), promptsPerClass, model.AnswerTemperature);
            predictions[index] = prediction;
            confusion.Add(loader.Split.Samples[index].Label, prediction.Class);
        }
        return new Evaluation(loader.Split.Name, confusion, predictions)
        {
            Labels = [.. loader.Split.Samples.Select(sample => sample.Label)],
        };
    }
}
