using System.CommandLine;
using System.Text;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Cli.Commands;

/// <summary>The expressions in pictures and videos.</summary>
internal sealed class PredictCommand : CliCommand
{
    private const string StandardOutput = "-";
    private const string DrawnFacesModel = "drawn-faces", DrawnFacesNote =
        "trained on drawn faces: of no use on photographs";

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Pictures, folders of pictures, and videos.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _checkpoint = new("--checkpoint")
    {
        Description =
            "A run's folder or a file of its checkpoints/. Without it the small model of the demo, which knows drawn "
            + "faces only.",
        HelpName = "PATH",
    };

    private readonly Option<bool> _clips = new("--clips")
    {
        Description = "Each folder with pictures is one clip, its frames sorted by name.",
    };

    private readonly Option<string?> _csv = new("--csv")
    {
        Description = "Writes the result as a CSV file; - is standard output.",
        HelpName = "FILE",
    };

    private readonly Option<int?> _window = new("--window")
    {
        Description = "Of a video, an answer for every N consecutive frames, and one for all.",
        HelpName = "N",
    };

    private readonly Option<int?> _stride = new("--stride")
    {
        Description = "Frames from one window to the next; half a window without it.",
        HelpName = "N",
    };

    private readonly Option<double> _rate = new("--rate")
    {
        Description = "Frames a second that windows take of a video; without it the video's own.",
        HelpName = "HZ",
    };

    private readonly Option<string?> _plot = new("--plot")
    {
        Description = "Plots the probabilities over the time of a video, as .png or .svg.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _annotate = new("--annotate")
    {
        Description =
            "Writes the picture or video with faces and labels drawn in; of several pictures each into this folder.",
        HelpName = "PATH",
    };

    private readonly FaceOptions _faces = new();

    private readonly StrictOption _strict = new();

    public PredictCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("predict", "The expressions in pictures and videos.", terminal, common, cancellation)
    {
        Add(_paths);
        foreach (Option option in (Option[])[_checkpoint, _clips, _window, _stride, _rate, _csv, _plot, _annotate,
            .. _faces.Options, _strict])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        bool clips = parsed.GetValue(_clips);
        string[] paths = parsed.GetValue(_paths)!;
        FaceOptions.FaceRequest asked = _faces.Read(parsed);
        string[] videos = [.. paths.Where(ImageFiles.IsVideo)], others = [.. paths.Except(videos)];
        (int Window, int Stride)? windows = Windows(parsed, videos.Length, others.Length);
        var leftOut = new Dictionary<string, string>();
        CheckOutputs(parsed, windows is not null);
        IReadOnlyList<Sample> samples = others.Length == 0 ? [] : clips
            ? ImageFiles.Clips(others, leftOut.Add) : ImageFiles.Pictures(others, leftOut.Add);
        VideoFile[] files = [.. videos.Select(video => VideoFile.Open(video, parsed.GetValue(_rate)))];
        using Device device = Common.OpenDevice(parsed);
        string? named = parsed.GetValue(_checkpoint);
        if (named is null)
            Terminal.Say("no --checkpoint is given: the answers are those of a small model that has learned from "
                + "drawn faces only");
        string checkpoint = named is null ? ShippedModels.Cliper : Checkpoint.Find(named);
        using Predictor predictor = Predictor.Load(checkpoint, device);
        BlazeFace? network = null;
        FaceCrop crop = asked.CropFor(predictor.Info, named is null, () => network = new BlazeFace(), Terminal.Say);
        using BlazeFace? ended = network;
        var run = new PredictRun(Terminal, predictor, crop, parsed.GetValue(_strict), Cancellation);
        IEnumerable<FileResult> answers = windows is { } frames ? run.Timelines(files, frames.Window, frames.Stride)
            : (clips ? run.Clips(samples) : run.Pictures(samples)).Concat(run.Videos(files));
        var results = new List<FileResult>();
        foreach (FileResult result in answers)
        {
            results.Add(result);
            if (!Terminal.Json && parsed.GetValue(_csv) != StandardOutput)
                PredictionText.Write(Terminal.Out, result, predictor.Classes);
            if (windows is not null)
                Draw(parsed, result, predictor.Classes, crop);
        }
        if (Terminal.Json)
        {
            var document = new PredictionDocument(named is null ? DrawnFacesModel
                : Path.GetFileName(Path.TrimEndingDirectorySeparator(named)),
                checkpoint, named is null ? [DrawnFacesNote] : predictor.Info.Note.Length > 0 ? [predictor.Info.Note]
                : [], predictor.Classes);
            Terminal.WriteJson(json => document.Write(json, run.Warnings,
                run.Skipped.Concat(leftOut).ToDictionary(), results));
        }
        if (parsed.GetValue(_csv) is { } csv)
            WriteText(csv, new PredictionTable(predictor.Classes).Lines(results, windows is not null));
        if (windows is null && parsed.GetValue(_annotate) is { } annotated)
            Annotate(annotated, results, predictor.Classes);
        SkippedPictures.SayLeftOut(Terminal, leftOut);
        return SayWhatIsMissing(run.Skipped, results.Count);
    }

    /// <summary>The plot and the annotated copy of a video.</summary>
    private void Draw(ParseResult parsed, FileResult video, IReadOnlyList<string> classes, FaceCrop crop)
    {
        IReadOnlyList<TimelineRow> rows = video.Faces[0].Windows!;
        if (parsed.GetValue(_plot) is { } plot)
            WritePlot(plot, rows, classes);
        if (parsed.GetValue(_annotate) is { } annotated)
            VideoAnnotation.Write(annotated, VideoFile.Open(video.File), rows, classes, crop, Cancellation);
    }

    /// <summary>Writes the pictures with their answers drawn in: one to a file, several into a folder.</summary>
    private static void Annotate(string path, IReadOnlyList<FileResult> results, IReadOnlyList<string> classes)
    {
        FileResult[] pictures = [.. results.Where(result => result.Size is not null)];
        bool folder = pictures.Length > 1 || Directory.Exists(path);
        if (folder)
            Directory.CreateDirectory(path);
        foreach (FileResult picture in pictures)
        {
            RgbImage image = ImageCodec.Instance.Decode(File.ReadAllBytes(picture.File), picture.File);
            StillAnnotation.Draw(image, picture.Faces.Select(face => (face.Face?.Box, face.Prediction)), classes);
            string target = folder ? Path.Combine(path, Path.ChangeExtension(Path.GetFileName(picture.File), ".png"))
                : path;
            ImageFormat format = Path.GetExtension(target).ToLowerInvariant() is ".jpg" or ".jpeg" ? ImageFormat.Jpeg
                : ImageFormat.Png;
            byte[] bytes = SkiaImageCodec.Instance.Encode(image, format);
            AtomicFile.Write(target, stream => stream.Write(bytes));
        }
    }

    /// <summary>Says which files have no answer, and why; the exit code that follows.</summary>
    private int SayWhatIsMissing(IReadOnlyDictionary<string, string> skipped, int answered)
    {
        int faceless = skipped.Values.Count(reason => reason == PredictRun.NoFace);
        if (faceless > 0)
            Terminal.Say($"no face was found in {faceless} of {answered + skipped.Count} files; they have no answer"
                + (faceless > answered ? " (--faces none takes every picture as a face)" : ""));
        SkippedPictures.Say(Terminal, skipped.Where(entry => entry.Value != PredictRun.NoFace).ToDictionary());
        return answered == 0 && faceless == 0 ? ExitCode.Input : ExitCode.Done;
    }

    private void CheckOutputs(ParseResult parsed, bool windows)
    {
        foreach (string? output in new[] { parsed.GetValue(_csv), parsed.GetValue(_plot), parsed.GetValue(_annotate) })
            if (output is not (null or StandardOutput) && !(output == parsed.GetValue(_annotate) && !windows
                && Directory.Exists(output)))
                AtomicFile.Check(output);
    }

    /// <summary>Window and stride; null for one answer a file.</summary>
    private (int Window, int Stride)? Windows(ParseResult parsed, int videos, int others)
    {
        const int UsualWindow = 16;
        bool drawn = parsed.GetValue(_plot) is not null || parsed.GetValue(_annotate) is not null && videos > 0;
        int? window = parsed.GetValue(_window) ?? (drawn ? UsualWindow : null), stride = parsed.GetValue(_stride);
        if (parsed.GetValue(_plot) is { } plot && Path.GetExtension(plot).ToLowerInvariant() is not (".png" or ".svg"))
            throw new SettingsException($"--plot {plot}: the file is a .png or .svg");
        if (window is null)
            return stride is null && parsed.GetValue(_rate) == 0 ? null
                : throw new SettingsException("--stride and --rate are for --window N");
        if (window < 1 || stride < 1)
            throw new SettingsException(
                $"--window and --stride are at least 1 frame, given were {window} and {stride ?? 1}");
        if (videos == 0 || others > 0)
            throw new SettingsException(
                "--window and --plot are for videos alone; give pictures in a run of their own");
        if (drawn && videos > 1)
            throw new SettingsException($"--plot and --annotate write one file; give one video, not {videos}");
        return (window.Value, stride ?? Math.Max(1, window.Value / 2));
    }

    private static void WritePlot(string path, IReadOnlyList<TimelineRow> rows, IReadOnlyList<string> classes)
    {
        byte[] bytes = Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase)
            ? Encoding.UTF8.GetBytes(TimelinePlot.Svg(rows, classes))
            : SkiaImageCodec.Instance.Encode(TimelinePlot.Picture(rows, classes), ImageFormat.Png);
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }

    private void WriteText(string path, IEnumerable<string> lines)
    {
        string text = string.Concat(lines.Select(line => line + "\n"));
        if (path == StandardOutput)
            Terminal.Out.Write(text);
        else
            AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }
}
