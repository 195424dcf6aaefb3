using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Video;

namespace Cliper.Model.Reporting;

/// <summary>A video with what a model said of its faces drawn in: boxes, labels and their probabilities.</summary>
public static class VideoAnnotation
{
    /// <summary>Writes the annotated video, with the sound of the original.</summary>
    /// <param name="path">The file.</param>
    /// <param name="video">The video, at its own rate.</param>
    /// <param name="faces">The faces, with windows.</param>
    /// <param name="rate">Frames a second that the model has looked at.</param>
    /// <param name="names">The names of answers.</param>
    /// <param name="model">Name of the model, for the lower left corner.</param>
    /// <param name="cancellation">Ends it, leaving no file.</param>
    /// <exception cref="InputException">The video cannot be read or written.</exception>
    public static void Write(string path, VideoFile video, IReadOnlyList<VideoFace> faces, double rate,
        ExpressionNames names, string model, CancellationToken cancellation = default) =>
        VideoWriter.Write(path, video, Annotated(video, [.. faces.Select(face => new Cursor(face, rate))], names, model,
            cancellation), cancellation);

    private static IEnumerable<RgbImage> Annotated(VideoFile video, Cursor[] faces, ExpressionNames names, string model,
        CancellationToken cancellation)
    {
        int frame = 0;
        foreach (RgbImage image in video.Frames(null, cancellation))
        {
            double time = (frame++ + 0.5) / video.Rate;
            StillAnnotation.Draw(image, faces.Select(face => face.At(time)).OfType<DrawnAnswer>(), names, model);
            yield return image;
        }
    }

    /// <summary>A face at a time that only rises.</summary>
    private sealed class Cursor(VideoFace face, double rate)
    {
        private int _row, _seen;

        /// <summary>The answer of the window whose middle is nearest, and the box at this time; null where the face is
        /// not in the frame.</summary>
        public DrawnAnswer? At(double time)
        {
            IReadOnlyList<TimelineRow> rows = face.Windows;
            while (_row + 1 < rows.Count && Away(rows[_row + 1]) <= Away(rows[_row]))
                _row++;
            if (rows.Count == 0 || rows[_row].Prediction is not { } prediction)
                return null;
            if (face.Seen.Count == 0)
                return new DrawnAnswer(null, prediction);
            while (_seen + 1 < face.Seen.Count
                && Math.Abs(face.Seen[_seen + 1].Time - time) <= Math.Abs(face.Seen[_seen].Time - time))
                _seen++;
            // A frame that the model did not look at shows the box of the one beside it that it did.
            return Math.Abs(face.Seen[_seen].Time - time) > 0.75 / rate ? null
                : new DrawnAnswer(face.Seen[_seen].Box, prediction);

            double Away(TimelineRow row) => Math.Abs((row.Start + row.End) / 2 - time);
        }
    }
}
