using Cliper.Kernels.Operations;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;

namespace Cliper.Cli;

/// <summary>The lines of predict for a person: one a face, or one a window of a video.</summary>
internal static class PredictionText
{
    /// <summary>Writes the lines of a file.</summary>
    public static void Write(TextWriter output, FileResult result, IReadOnlyList<string> classes)
    {
        int width = classes.Max(name => name.Length);
        foreach (FaceResult face in result.Faces)
            if (face.Windows is { } windows)
                foreach (TimelineRow row in windows)
                    output.WriteLine(Format.Invariant($"{row.Start,8:F2} to {row.End,8:F2} s  ") + Line(row.Prediction,
                        classes, width, result.File));
            else
                output.WriteLine(Line(face.Prediction, classes, width, result.File)
                    + (result.Faces.Count > 1 && face.Face?.Box is PixelBox box
                    ? $"  face at {box.X},{box.Y},{box.Width},{box.Height}" : ""));
    }

    private static string Line(Prediction prediction, IReadOnlyList<string> classes, int width, string file)
    {
        (int best, float[] probabilities, int subclass) = prediction;
        return Format.Invariant(
            $"{classes[best].PadRight(width)} {100 * probabilities[best],5:F1} %  descriptor {subclass}  {file}");
    }
}
