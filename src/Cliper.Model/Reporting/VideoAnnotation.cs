using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Video;

namespace Cliper.Model.Reporting;

/// <summary>A video with what a model said of it drawn in: the label, its probability, and the face's box.</summary>
public static class VideoAnnotation
{
    private const int Background = 0x202020, White = 0xFFFFFF;

    /// <summary>Writes the annotated video, with the sound of the original.</summary>
    /// <param name="path">The file.</param>
    /// <param name="video">The video, at its own rate.</param>
    /// <param name="rows">Answers by rising time, at least one row.</param>
    /// <param name="classes">Class names.</param>
    /// <param name="crop">Which part of a frame was looked at.</param>
    /// <param name="cancellation">Ends it, leaving no file.</param>
    /// <exception cref="InputException">The video cannot be read or written.</exception>
    public static void Write(string path, VideoFile video, IReadOnlyList<TimelineRow> rows,
        IReadOnlyList<string> classes, FaceCrop crop,
        CancellationToken cancellation = default) =>
        VideoWriter.Write(path, video, Annotated(video, rows, classes, crop, cancellation), cancellation);

    private static IEnumerable<RgbImage> Annotated(VideoFile video, IReadOnlyList<TimelineRow> rows,
        IReadOnlyList<string> classes, FaceCrop crop,
        CancellationToken cancellation)
    {
        int frame = 0, current = 0;
        var track = new FaceTrack(crop, video.Path);
        foreach (RgbImage image in video.Frames(null, cancellation))
        {
            double time = (frame++ + 0.5) / video.Rate;
            while (current + 1 < rows.Count && Math.Abs(Middle(rows[current + 1]) - time)
                <= Math.Abs(Middle(rows[current]) - time))
                current++;
            Draw(image, rows[current].Prediction, classes, track.Next(image)?.Box);
            yield return image;
        }

        static double Middle(TimelineRow row) => (row.Start + row.End) / 2;
    }

    /// <summary>Draws the label at the upper left, with a bar as long as its probability.</summary>
    internal static void Draw(RgbImage image, Prediction prediction, IReadOnlyList<string> classes, PixelBox? face)
    {
        float probability = prediction.Probabilities[prediction.Class];
        string text = string.Create(CultureInfo.InvariantCulture,
            $"{classes[prediction.Class]} {100 * probability:0} %");
        int square = Math.Max(1, image.Height / 180), margin = 4 * square;
        int width = PixelFont.WidthOf(text) * square + 2 * margin, height = PixelFont.Height * square + 2 * margin;
        int color = TimelinePlot.ColorOf(prediction.Class);
        if (face is { } box)
            foreach ((int x, int y, int w, int h) in new[]
            {
                (box.X, box.Y, box.Width, square), (box.X, box.Y + box.Height - square, box.Width, square),
                (box.X, box.Y, square, box.Height), (box.X + box.Width - square, box.Y, square, box.Height),
            })
                PixelFont.Fill(image, x, y, w, h, color);
        PixelFont.Fill(image, 0, 0, width, height, Background);
        PixelFont.Fill(image, 0, height, (int)(width * probability), 2 * square, color);
        PixelFont.Draw(image, margin, margin, text, square, White);
    }
}
