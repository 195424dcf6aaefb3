using System.Globalization;
using System.Text;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>
/// predictions.csv: every sample of an evaluation with its label and the model's answer. The columns are file, label,
/// predicted, probability, descriptor (the nearest of the predicted class, from 0) and one probability a class. A
/// sample that could not be read has its file and label alone.
/// </summary>
public static class PredictionsFile
{
    /// <summary>Names of the files that a run can have in its folder.</summary>
    internal static IReadOnlyList<string> Names { get; } = [NameOf(""), NameOf("zero-shot"), NameOf("stage1")];

    /// <summary>Name of the file in a run's folder.</summary>
    /// <param name="evaluation">Name of the evaluation, such as "stage1"; empty for the trained model.</param>
    internal static string NameOf(string evaluation) =>
        evaluation.Length == 0 ? "predictions.csv" : $"predictions-{evaluation}.csv";

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <param name="path">Path of the file.</param>
    /// <param name="evaluation">The answers, one a sample of <paramref name="split"/>.</param>
    /// <param name="split">The samples.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, Evaluation evaluation, DataSplit split) => AtomicFile.Write(path, stream =>
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        foreach (string line in Lines(evaluation, split))
            writer.WriteLine(line);
    });

    /// <summary>The lines, the header first.</summary>
    /// <param name="evaluation">The answers.</param>
    /// <param name="split">The samples.</param>
    public static IEnumerable<string> Lines(Evaluation evaluation, DataSplit split)
    {
        IReadOnlyList<string> classes = evaluation.Confusion.Classes;
        yield return Csv.Line(["file", "label", "predicted", "probability", "descriptor", .. classes]);
        for (int index = 0; index < split.Samples.Count; index++)
        {
            Sample sample = split.Samples[index];
            string[] start = [sample.Name, classes[sample.Label]];
            yield return Csv.Line(evaluation.Predictions[index] is { } answer
                ? [.. start, classes[answer.Class], Number(answer.Probabilities[answer.Class]),
                    answer.Subclass.ToString(CultureInfo.InvariantCulture), .. answer.Probabilities.Select(Number)]
                : [.. start, .. Enumerable.Repeat("", 3 + classes.Count)]);
        }
    }

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);
}
