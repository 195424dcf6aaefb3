using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;

namespace Cliper.Cli;

/// <summary>The table of predict --csv: a row a face, or a row a window of a video.</summary>
/// <param name="classes">Class names, in the order of the probabilities.</param>
internal sealed class PredictionTable(IReadOnlyList<string> classes)
{
    /// <summary>The lines, the header first.</summary>
    /// <param name="results">The answers.</param>
    /// <param name="windows">Whether the rows are windows.</param>
    public IEnumerable<string> Lines(IEnumerable<FileResult> results, bool windows)
    {
        string[] place = windows ? ["start", "end"] : ["x", "y", "width", "height", "score"];
        yield return Csv.Line(["file", "id", .. place, "expression", "probability", "descriptor", .. classes]);
        foreach (FileResult result in results)
            for (int id = 0; id < result.Faces.Count; id++)
            {
                FaceResult face = result.Faces[id];
                string[] start = [result.File, id.ToString(CultureInfo.InvariantCulture)];
                if (!windows)
                    yield return Csv.Line([.. start, .. BoxOf(face), .. AnswerOf(face.Prediction)]);
                else
                    foreach (TimelineRow row in face.Windows!)
                        yield return Csv.Line([.. start, Seconds(row.Start), Seconds(row.End),
                            .. AnswerOf(row.Prediction)]);
            }
    }

    private static IEnumerable<string> BoxOf(FaceResult result)
    {
        if (result.Face is not { } face)
            return ["", "", "", "", ""];
        PixelBox box = face.Box;
        return [.. new[] { box.X, box.Y, box.Width, box.Height }.Select(value =>
            value.ToString(CultureInfo.InvariantCulture)), Number(face.Score)];
    }

    private IEnumerable<string> AnswerOf(Prediction prediction) =>
    [
        classes[prediction.Class], Number(prediction.Probabilities[prediction.Class]),
        prediction.Subclass.ToString(CultureInfo.InvariantCulture), .. prediction.Probabilities.Select(Number),
    ];

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Seconds(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
