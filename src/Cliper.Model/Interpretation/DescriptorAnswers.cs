using Cliper.Autograd;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;

namespace Cliper.Model.Interpretation;

/// <summary>A sample as its own class's descriptors see it.</summary>
/// <param name="Index">Index in its split.</param>
/// <param name="Label">The class, by the model's order.</param>
/// <param name="Predicted">The predicted class.</param>
/// <param name="Descriptor">The nearest descriptor of the sample's own class, from 0; the lowest of equal ones.</param>
/// <param name="Cosine">Cosine of the sample and that descriptor.</param>
/// <param name="Margin">How much larger it is than that of the class's next descriptor; 0 with a single one.</param>
internal sealed record DescriptorAnswer(int Index, int Label, int Predicted, int Descriptor, float Cosine, float Margin)
{
    /// <summary>Whether the prediction is right.</summary>
    public bool IsRight => Predicted == Label;

    /// <summary>The nearest descriptor of a sample's own class.</summary>
    /// <param name="index">Index of the sample.</param>
    /// <param name="label">Its class.</param>
    /// <param name="prediction">The model's answer.</param>
    /// <param name="temperature">Divisor of the cosines in the answer's scores.</param>
    public static DescriptorAnswer Of(int index, int label, Prediction prediction, float temperature)
    {
        int descriptors = prediction.Logits.Length / prediction.Probabilities.Length, best = prediction.Nearest[label];
        ReadOnlySpan<float> own = prediction.Logits.AsSpan(label * descriptors, descriptors);
        float next = float.NegativeInfinity;
        for (int m = 0; m < own.Length; m++)
            if (m != best)
                next = Math.Max(next, own[m]);
        return new DescriptorAnswer(index, label, prediction.Class, best, own[best] * temperature,
            own.Length == 1 ? 0 : (own[best] - next) * temperature);
    }
}

/// <summary>All samples of a split by their nearest own descriptors, with their features.</summary>
/// <param name="Split">The samples, whose labels are the model's.</param>
/// <param name="Features">Their features.</param>
/// <param name="Cosines">Cosines with every descriptor, [samples][K * M]; null where one could not be read.</param>
/// <param name="Answers">Those that could be read, by index.</param>
internal sealed record DescriptorAnswers(DataSplit Split, FeatureTable Features, IReadOnlyList<float[]?> Cosines,
    IReadOnlyList<DescriptorAnswer> Answers)
{
    private const int RowsAtOnce = 1024;

    /// <summary>Looks at every sample of a split.</summary>
    /// <param name="predictor">The model.</param>
    /// <param name="split">The samples; classes are matched by name.</param>
    /// <param name="frames">Frames of a sample; 1 for images.</param>
    /// <param name="strict">Whether an unreadable image is an error.</param>
    /// <param name="progress">Receives, by the second, the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Stops between two operations.</param>
    /// <exception cref="InputException">The data has classes that the model has not, or cannot be read.</exception>
    public static (DescriptorAnswers Answers, IReadOnlyDictionary<string, string> Skipped) Of(Predictor predictor,
        DataSplit split, int frames, bool strict, Action<double>? progress = null,
        CancellationToken cancellation = default)
    {
        CliperModel model = predictor.Model;
        DataSplit own = split.WithClasses(model.Classes);
        using BatchLoader loader = SampleReader.Open(own, model.Clip, frames, strict,
            frames > 1 ? predictor.Info : null, predictor.Flip);
        FeatureTable features = SplitFeatures.Of(model, loader, progress, cancellation);
        var cosines = new float[]?[own.Samples.Count];
        int[] there = [.. Enumerable.Range(0, cosines.Length).Where(index => features.IsThere[index])];
        foreach (int[] some in there.Chunk(RowsAtOnce))
        {
            using var tape = new Tape(model.Clip.Device, recording: false) { Cancellation = cancellation };
            Tensor rows = tape.Own(Tensor.From(tape.Device, features.Rows(some),
                new Shape(some.Length, features.Width)));
            float[] logits = model.Logits(tape, rows, predictor.ClassFeatures).ToArray();
            int width = logits.Length / some.Length;
            for (int i = 0; i < some.Length; i++)
                cosines[some[i]] = logits[(i * width)..((i + 1) * width)];
        }
        DescriptorAnswer[] answers = [.. there.Select(index =>
            DescriptorAnswer.Of(index, own.Samples[index].Label, model.Answer(cosines[index]!), model.Temperature))];
        foreach (float[]? row in cosines)
            foreach (ref float value in row.AsSpan())
                value *= model.Temperature;
        return (new DescriptorAnswers(own, features, cosines, answers), loader.Skipped);
    }

    /// <summary>Samples of class k whose nearest own descriptor is m, [k][m], right or wrong.</summary>
    /// <param name="descriptors">Descriptors a class, M.</param>
    public IReadOnlyList<long[]> Counts(int descriptors)
    {
        long[][] counts = [.. Split.Classes.Select(_ => new long[descriptors])];
        foreach (DescriptorAnswer answer in Answers)
            counts[answer.Label][answer.Descriptor]++;
        return counts;
    }
}
