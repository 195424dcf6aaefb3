using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;

namespace Cliper.Cli;

/// <summary>The table of predict --csv: a row a face, or a row a window of a video.</summary>
/// <param name="model">The model that answers; its name is the last column.</param>
/// <param name="isSafe">Whether a text that a spreadsheet would compute as a formula begins with an apostrophe.</param>
internal sealed class PredictionTable(AnsweringModel model, bool isSafe = false)
{
    /// <summary>The lines, the header first.</summary>
    /// <param name="results">The answers.</param>
    /// <param name="windows">Whether the rows are windows.</param>
    public IEnumerable<string> Lines(IEnumerable<FileResult> results, bool windows)
    {
        string[] place = windows ? ["start", "end", "x", "y", "width", "height", "faceShare"]
            : ["x", "y", "width", "height", "score", "faceShare"];
        yield return Csv.Line(["file", "id", .. place, "expression", "probability", "descriptor",
            .. model.Names.Classes.Select(Text), "model"]);
        foreach (FileResult result in results)
            for (int id = 0; id < result.Faces.Count; id++)
            {
                FaceResult face = result.Faces[id];
                string[] start = [Text(result.File), id.ToString(CultureInfo.InvariantCulture)];
                if (!windows)
                    yield return Csv.Line([.. start, .. BoxOf(face), .. AnswerOf(face.Prediction)]);
                else
                    foreach (TimelineRow row in face.Windows!)
                        yield return Csv.Line([.. start, Seconds(row.Start), Seconds(row.End), .. Numbers(row.Box),
                            Share(row.FaceShare), .. AnswerOf(row.Prediction)]);
            }
    }

    private static IEnumerable<string> BoxOf(FaceResult result) =>
        [.. Numbers(result.Face?.Box), result.Face is { } face ? Number(face.Score) : "",
            result.Video is { } video ? Share(video.FaceShare) : ""];

    private static IEnumerable<string> Numbers(PixelBox? box) => box is { } found
        ? new[] { found.X, found.Y, found.Width, found.Height }.Select(value =>
            value.ToString(CultureInfo.InvariantCulture)) : ["", "", "", ""];

    private IEnumerable<string> AnswerOf(Prediction? prediction) => prediction is null
        ? [.. Enumerable.Repeat("", 3 + model.Names.Classes.Count), Text(model.Name)]
        :
        [
            Text(model.Names.Of(prediction)), Number(prediction.Probabilities[prediction.Class]),
            prediction.Subclass.ToString(CultureInfo.InvariantCulture), .. prediction.Probabilities.Select(Number),
            Text(model.Name),
        ];

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Share(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    private string Text(string text) => isSafe && text is ['=' or '+' or '-' or '@' or '\t' or '\r', ..] ? $"'{text}"
        : text;

    private static string Seconds(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
