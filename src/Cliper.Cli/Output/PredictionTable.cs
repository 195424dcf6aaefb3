using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;

namespace Cliper.Cli;

/// <summary>The table of predict --csv: a row a face, or a row a window of a video.</summary>
/// <param name="model">The model that answers; its name is the last column.</param>
internal sealed class PredictionTable(AnsweringModel model)
{
    /// <summary>The lines, the header first.</summary>
    /// <param name="results">The answers.</param>
    /// <param name="windows">Whether the rows are windows.</param>
    public IEnumerable<string> Lines(IEnumerable<FileResult> results, bool windows)
    {
        string[] place = windows ? ["start", "end", "x", "y", "width", "height", "faceShare"]
            : ["x", "y", "width", "height", "score"];
        yield return Csv.Line(["file", "id", .. place, "expression", "probability", "descriptor",
            .. model.Names.Classes, "model"]);
        foreach (FileResult result in results)
            for (int id = 0; id < result.Faces.Count; id++)
            {
                FaceResult face = result.Faces[id];
                string[] start = [result.File, id.ToString(CultureInfo.InvariantCulture)];
                if (!windows)
                    yield return Csv.Line([.. start, .. BoxOf(face), .. AnswerOf(face.Prediction)]);
                else
                    foreach (TimelineRow row in face.Windows!)
                        yield return Csv.Line([.. start, Seconds(row.Start), Seconds(row.End), .. Numbers(row.Box),
                            row.FaceShare.ToString("R", CultureInfo.InvariantCulture), .. AnswerOf(row.Prediction)]);
            }
    }

    private static IEnumerable<string> BoxOf(FaceResult result) =>
        [.. Numbers(result.Face?.Box), result.Face is { } face ? Number(face.Score) : ""];

    private static IEnumerable<string> Numbers(PixelBox? box) => box is { } found
        ? new[] { found.X, found.Y, found.Width, found.Height }.Select(value =>
            value.ToString(CultureInfo.InvariantCulture)) : ["", "", "", ""];

    private IEnumerable<string> AnswerOf(Prediction? prediction) => prediction is null
        ? [.. Enumerable.Repeat("", 3 + model.Names.Classes.Count), model.Name]
        :
        [
            model.Names.Of(prediction), Number(prediction.Probabilities[prediction.Class]),
            prediction.Subclass.ToString(CultureInfo.InvariantCulture), .. prediction.Probabilities.Select(Number),
            model.Name,
        ];

    private static string Number(float value) => value.ToString("R", CultureInfo.InvariantCulture);

    private static string Seconds(double value) => value.ToString("F3", CultureInfo.InvariantCulture);
}
