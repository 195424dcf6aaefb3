using Cliper.Autograd;
using Cliper.Model.Inference;
using Cliper.Model.Interpretation;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Text;

namespace Cliper.Model.Runs;

/// <summary>Explains a model by its learned tokens, and by the samples of a data set.</summary>
internal static class SplitExplanation
{
    private const int WordsPerToken = 5, ExamplesPerDescriptor = 8;

    /// <summary>The page without data: the words of the learned tokens, and the descriptors beside each
    /// other.</summary>
    /// <param name="predictor">The model.</param>
    /// <param name="name">Name of the model.</param>
    /// <param name="seed">Seed of the words' control.</param>
    public static ExplainReport Of(Predictor predictor, string name, ulong seed)
    {
        CliperModel model = predictor.Model;
        List<string> notes = [.. predictor.Notes];
        BpeVocabulary? vocabulary = predictor.Vocabulary();
        if (model.Prompts is not Metd)
            notes.Add($"The method {predictor.Method} learns no descriptors: there are no learned tokens to list.");
        else if (vocabulary is null)
            notes.Add("No vocabulary lies in the model or beside it: the words of the learned tokens are left out.");
        return new ExplainReport
        {
            Title = $"What {name} has learned",
            Subtitle = RunReport.Describe(model),
            Created = DateTimeOffset.Now,
            Notes = notes,
            Classes = model.Classes,
            PerClass = model.Prompts.PromptsPerClass,
            Words = vocabulary is null ? [] : TokenWords.Of(model, vocabulary, WordsPerToken, seed),
            Similarities = Similarities(predictor),
        };
    }

    /// <summary>Adds what the samples of a split show.</summary>
    /// <param name="report">The page.</param>
    /// <param name="predictor">The model.</param>
    /// <param name="split">The samples.</param>
    /// <param name="faces">The faces that the split shows; null where they are no synthetic ones.</param>
    /// <param name="options">The options.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <returns>The page, and the samples that could not be read, with reasons.</returns>
    public static (ExplainReport Report, IReadOnlyDictionary<string, string> Skipped) With(this ExplainReport report,
        Predictor predictor, DataSplit split, SyntheticFacesData? faces, ExplanationRequest options,
        CancellationToken cancellation)
    {
        int frames = predictor.Info.Frames;
        (DescriptorAnswers answers, IReadOnlyDictionary<string, string> skipped) = DescriptorAnswers.Of(predictor,
            split, frames, options.Strict, Telling($"looking at {split.Name}"), cancellation);
        if (answers.Answers.Count == 0)
            throw new InputException($"{split.Name}: none of its {split.Samples.Count} samples could be read");
        List<TraitResult> traits = faces is null ? []
            : [.. SampleTrait.Of(faces).SelectMany(trait => Results(answers, trait, options))];
        List<string> notes = [.. report.Notes];
        if (split.IsVideo)
            traits.AddRange(OfFrames(predictor, split, options, notes, cancellation));
        float[] classes = predictor.ClassFeatures?.ToArray() ?? [];
        options.Progress?.Invoke("t-SNE", 0);
        return (report with
        {
            Subtitle = FormattableString.Invariant(
                $"{report.Subtitle}; {answers.Answers.Count:#,0} samples of {split.Name}"),
            Notes = notes,
            Answers = answers,
            Descriptors = DescriptorGallery.Of(answers.Split, report.PerClass, answers.Answers, report.Words,
                ExamplesPerDescriptor),
            Plane = options.Points == 0 || classes.Length == 0 ? null
                : FeaturePlane.Of(answers, classes, report.PerClass, options.Points, options.Seed, cancellation),
            Traits = traits,
            Shuffles = options.Shuffles,
        }, skipped);

        Action<double>? Telling(string work) => options.Progress is { } told ? fraction => told(work, fraction) : null;
    }

    /// <summary>The set of synthetic faces that a run or the demo tests on.</summary>
    /// <param name="settings">The run's settings; null for the demo's.</param>
    /// <param name="imageSize">Edge of the images.</param>
    /// <param name="count">How many faces; null for as many as a run tests on.</param>
    public static SyntheticFacesData Drawn(TrainSettings? settings, int imageSize, int? count)
    {
        TrainSettings own = settings is { DataSet: RunData.Drawn } ? settings : Recipes.Get("demo");
        return new SyntheticFacesData("test", own.Seed, count ?? RunData.DrawnTest, imageSize, own.DrawnStyle);
    }

    private static IEnumerable<TraitResult> OfFrames(Predictor predictor, DataSplit clips,
        ExplanationRequest options, List<string> notes, CancellationToken cancellation)
    {
        (DataSplit frames, SampleTrait position) = SampleTrait.OfFrames(clips);
        if (position.Values.All(value => value < 0))
            return [];
        notes.Add("Time is the place of a frame in its clip, each frame looked at alone. Data that holds only the last "
            + "frames of a sequence, as copies of CK+ do, shows no way from neutral to the peak.");
        (DescriptorAnswers answers, _) = DescriptorAnswers.Of(predictor, frames, frames: 1, options.Strict,
            fraction => options.Progress?.Invoke("looking at single frames", fraction), cancellation);
        return Results(answers, position, options);
    }

    private static IEnumerable<TraitResult> Results(DescriptorAnswers answers, SampleTrait trait,
        ExplanationRequest options)
    {
        IReadOnlyList<string> classes = answers.Split.Classes;
        for (int label = -1; label < classes.Count; label++)
        {
            int? own = label < 0 ? null : label;
            (Information information, int samples) = trait.Measure(answers, own, options.Shuffles, options.Seed);
            if (samples == 0)
                continue;
            yield return new TraitResult(trait, own is null ? null : classes[label], samples, information,
                own is null ? [] : Counts(label));
        }

        int[][] Counts(int label)
        {
            int descriptors = answers.Cosines.First(row => row is not null)!.Length / classes.Count;
            int[][] counts = [.. trait.Parts.Select(_ => new int[descriptors])];
            foreach (DescriptorAnswer answer in answers.Answers)
                if (answer.Label == label && trait.Values[answer.Index] is >= 0 and var part)
                    counts[part][answer.Descriptor]++;
            return counts;
        }
    }

    /// <summary>Cosines between the features of all descriptors; empty where they depend on the image.</summary>
    private static float[] Similarities(Predictor predictor)
    {
        if (predictor.ClassFeatures is not { } features)
            return [];
        using var tape = new Tape(features.Device, recording: false);
        Tensor normalized = tape.L2Normalize(features);
        return tape.MatMul(normalized, normalized, transposeB: true).ToArray();
    }
}
