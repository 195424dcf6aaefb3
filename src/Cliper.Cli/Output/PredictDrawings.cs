using System.Text;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Cli;

/// <summary>Pictures, videos and plots with answers drawn in.</summary>
/// <param name="model">The model that answers.</param>
/// <param name="cancellation">Ends the writing of a video, leaving no file.</param>
internal sealed class PredictDrawings(AnsweringModel model, CancellationToken cancellation)
{
    /// <summary>
    /// Writes the annotated copy of a video with windows, and the plot of the face that is seen most.
    /// </summary>
    /// <param name="video">The answers.</param>
    /// <param name="plot">The plot's file; null for none.</param>
    /// <param name="annotated">The copy's file; null for none.</param>
    public void WriteVideo(FileResult video, string? plot, string? annotated)
    {
        VideoFace[] faces = [.. video.Faces.Select(face => face.Video!)];
        if (plot is not null)
            WritePlot(plot, faces.MaxBy(face => face.FaceShare)!.Windows);
        if (annotated is not null)
            VideoAnnotation.Write(annotated, VideoFile.Open(video.File), faces, video.Rate!.Value, model.Names,
                model.Name, cancellation);
    }

    /// <summary>The file that each picture's annotated copy is written to: one to a file, several into a folder, where
    /// pictures of one name get numbers.</summary>
    /// <param name="path">The file or folder.</param>
    /// <param name="pictures">Names of the pictures.</param>
    public static IReadOnlyDictionary<string, string> Targets(string path, IReadOnlyList<string> pictures)
    {
        if (pictures.Count == 1 && !Directory.Exists(path))
            return new Dictionary<string, string> { [pictures[0]] = path };
        var targets = new Dictionary<string, string>();
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (string picture in pictures)
        {
            string stem = Path.GetFileNameWithoutExtension(picture), name = stem;
            for (int number = 2; !taken.Add(name); number++)
                name = $"{stem}-{number}";
            targets[picture] = Path.Combine(path, $"{name}.png");
        }
        return targets;
    }

    /// <summary>Writes the pictures with their answers drawn in.</summary>
    /// <param name="targets">The file of each picture, answered or not, from <see cref="Targets"/>.</param>
    /// <param name="results">The answers, of which those for pictures count.</param>
    /// <param name="samples">The pictures.</param>
    public void WritePictures(IReadOnlyDictionary<string, string> targets, IReadOnlyList<FileResult> results,
        IReadOnlyList<Sample> samples)
    {
        Dictionary<string, Frame> frames = samples.ToDictionary(sample => sample.Name, sample => sample.Frames[0]);
        foreach (FileResult picture in results.Where(result => result.Size is not null))
        {
            RgbImage image = frames[picture.File].Load(ImageCodec.Instance);
            StillAnnotation.Draw(image, picture.Faces.Select(face => new DrawnAnswer(
                face.Face is { } found ? image.FromOriginal(found.Box) : null, face.Prediction!)), model.Names,
                model.Name);
            string target = targets[picture.File];
            ImageFormat format = Path.GetExtension(target).ToLowerInvariant() is ".jpg" or ".jpeg" ? ImageFormat.Jpeg
                : ImageFormat.Png;
            Write(target, SkiaImageCodec.Instance.Encode(image, format));
        }
    }

    private void WritePlot(string path, IReadOnlyList<TimelineRow> rows) =>
        Write(path, Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase)
            ? Encoding.UTF8.GetBytes(TimelinePlot.Svg(rows, model.Names.Classes))
            : SkiaImageCodec.Instance.Encode(TimelinePlot.Picture(rows, model.Names.Classes), ImageFormat.Png));

    private static void Write(string path, byte[] bytes) => AtomicFile.Write(path, stream => stream.Write(bytes));
}
