using Cliper.Kernels.Operations;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;

namespace Cliper.Cli;

/// <summary>The lines of predict for a person: one a face, or one a window of a video.</summary>
internal static class PredictionText
{
    /// <summary>Writes the lines of a file.</summary>
    public static void Write(TextWriter output, FileResult result, ExpressionNames names)
    {
        string file = Format.Printable(result.File);
        int width = (names.LeastProbability > 0 ? names.Classes.Append(ExpressionNames.Uncertain) : names.Classes)
            .Max(name => name.Length);
        for (int id = 0; id < result.Faces.Count; id++)
        {
            FaceResult face = result.Faces[id];
            string which = result.Faces.Count == 1 ? "" : face.Face?.Box is PixelBox box
                ? $"  face at {box.X},{box.Y},{box.Width},{box.Height}" : $"  face {id}";
            if (face.Windows is { } windows)
                foreach (TimelineRow row in windows)
                    output.WriteLine(Format.Invariant($"{row.Start,8:F2} to {row.End,8:F2} s  ") + Line(row.Prediction,
                        names, width, file) + which);
            else
                output.WriteLine(Line(face.Prediction, names, width, file) + which);
        }
    }

    private static string Line(Prediction? prediction, ExpressionNames names, int width, string file)
    {
        if (prediction is null)
            return $"no face  {file}";
        (int best, float[] probabilities, int subclass) = prediction;
        string name = Format.Printable(names.Of(prediction)).PadRight(width);
        return Format.Invariant($"{name} {100 * probabilities[best],5:F1} %  descriptor {subclass}  {file}");
    }
}
