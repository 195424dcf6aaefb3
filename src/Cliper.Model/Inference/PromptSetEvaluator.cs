using Cliper.Autograd;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Text;

namespace Cliper.Model.Inference;

/// <summary>The result of a set of captions, zero-shot.</summary>
/// <param name="Prompts">Name of the templates, one of <see cref="PromptSets.Names"/>.</param>
/// <param name="Names">Name of the class words.</param>
/// <param name="Example">The first caption of the first class.</param>
/// <param name="Confusion">The counts; null where a caption is longer than the model takes.</param>
public sealed record PromptSetResult(string Prompts, string Names, string Example, ConfusionMatrix? Confusion)
{
    /// <summary>One line.</summary>
    public override string ToString() => $"zero-shot {Prompts}, {Names} (\"{Example}\"): " + (Confusion is null
        ? "longer than the model takes"
        : FormattableString.Invariant($"WAR {100 * Confusion.War:F2} %, UAR {100 * Confusion.Uar:F2} %"));
}

/// <summary>Scores a split by every pair of templates and class words, from features that are computed once.</summary>
internal static class PromptSetEvaluator
{
    private const int Rows = 4096;

    /// <summary>Evaluates all pairs.</summary>
    /// <param name="model">Gives towers, classes and temperature.</param>
    /// <param name="tokenizer">Tokenizer of the text tower.</param>
    /// <param name="split">The samples, whose labels index the model's classes.</param>
    /// <param name="table">Their features.</param>
    /// <param name="format">Layout of the data, which tells its own class names.</param>
    public static IEnumerable<PromptSetResult> Run(CliperModel model, ClipTokenizer tokenizer, DataSplit split,
        FeatureTable table, string format)
    {
        int[] samples = [.. Enumerable.Range(0, split.Samples.Count).Where(index => table.IsThere[index])];
        foreach (string prompts in PromptSets.Names)
            foreach (ClassNames names in Enum.GetValues<ClassNames>())
            {
                IReadOnlyList<string> words = ClassWords.Of(names, model.Classes, format);
                IReadOnlyList<string>[] captions =
                    [.. words.Select((word, label) => PromptSets.Fill(prompts, model.Classes[label], word))];
                // Sentences on what a face does have no place for a word.
                if (names != ClassNames.Adjectives && prompts == PromptSets.Movements)
                    continue;
                IReadOnlyList<int[]>[] ids = [.. captions.Select(texts => (IReadOnlyList<int[]>)[.. texts.Select(text =>
                    tokenizer.Encode(text, int.MaxValue))])];
                bool fits = ids.All(texts => texts.All(text => text.Length <= model.Clip.Config.ContextLength));
                yield return new PromptSetResult(prompts, ClassWords.Name(names), captions[0][0],
                    fits ? Score(model, ids, split, samples, table) : null);
            }
    }

    private static ConfusionMatrix Score(CliperModel model, IReadOnlyList<IReadOnlyList<int[]>> captions,
        DataSplit split, int[] samples, FeatureTable table)
    {
        IPromptLearner learner = new FixedPrompts(captions);
        var confusion = new ConfusionMatrix(model.Classes);
        using var outer = new Tape(model.Clip.Device, recording: false);
        Tensor classes = learner.ClassFeatures(outer, model.Clip, imageFeatures: null);
        int width = model.Classes.Count;
        foreach (int[] some in samples.Chunk(Rows))
        {
            using var tape = new Tape(model.Clip.Device, recording: false);
            Tensor rows = tape.Own(Tensor.From(tape.Device, table.Rows(some), new Shape(some.Length, table.Width)));
            float[] logits = learner.Logits(tape, rows, classes, model.Temperature).ToArray();
            for (int i = 0; i < some.Length; i++)
                confusion.Add(split.Samples[some[i]].Label,
                    Prediction.ClassOf(logits.AsSpan(i * width, width), subclasses: 1));
        }
        return confusion;
    }
}
