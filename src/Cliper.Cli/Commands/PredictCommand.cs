using System.Collections.Concurrent;
using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Cli.Commands;

/// <summary>The expressions in pictures and videos.</summary>
internal sealed class PredictCommand : CliCommand
{
    private const string StandardOutput = "-";
    private const string NoDetector = "none";

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Pictures, folders of pictures, and videos.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _checkpoint = new("--checkpoint")
    {
        Description = "A run's folder or a file of its checkpoints/. Without it the small model of the demo, which knows drawn faces only.",
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
        Description = "Writes the video with the labels drawn in.",
        HelpName = "FILE",
    };

    private readonly Option<string?> _faceBox = new("--face-box")
    {
        Description = "Where the face is in every picture, in pixels from the upper left; the margin that the model was trained with is added.",
        HelpName = "X,Y,W,H",
    };

    private readonly Option<string?> _faceDetector = new("--face-detector")
    {
        Description = "Looks for the face with this cascade of OpenCV (haarcascade_*.xml); none takes the centre of each picture. Without it the cascade of an installed OpenCV, if there is one.",
        HelpName = "FILE",
    };

    private readonly StrictOption _strict = new();

    public PredictCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("predict", "The expressions in pictures and videos.", terminal, common, cancellation)
    {
        Add(_paths);
        foreach (Option option in new Option[] { _checkpoint, _clips, _window, _stride, _rate, _csv, _plot, _annotate, _faceBox, _faceDetector, _strict })
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        bool clips = parsed.GetValue(_clips);
        string[] paths = parsed.GetValue(_paths)!;
        PixelBox? box = Box(parsed.GetValue(_faceBox));
        string? detector = parsed.GetValue(_faceDetector);
        if (box is not null && detector is not (null or NoDetector))
            throw new SettingsException("--face-box and --face-detector exclude each other: the box is given, or looked for");
        FaceDetector? given = detector is null or NoDetector ? null : FaceDetector.Load(detector);
        string[] videos = [.. paths.Where(ImageFiles.IsVideo)], others = [.. paths.Except(videos)];
        (int Window, int Stride)? windows = Windows(parsed, videos.Length, others.Length);
        foreach (string? output in new[] { parsed.GetValue(_csv), parsed.GetValue(_plot), parsed.GetValue(_annotate) })
            if (output is not (null or StandardOutput))
                AtomicFile.Check(output);
        IReadOnlyList<Sample> samples = others.Length == 0 ? [] : clips ? ImageFiles.Clips(others) : ImageFiles.Pictures(others);
        VideoFile[] files = [.. videos.Select(video => VideoFile.Open(video, parsed.GetValue(_rate)))];
        using Device device = Common.OpenDevice(parsed);
        string? checkpoint = parsed.GetValue(_checkpoint);
        if (checkpoint is null)
            Terminal.Say("no --checkpoint is given: the answers are those of a small model that has learned from drawn faces only");
        using Predictor predictor = Predictor.Load(checkpoint is null ? ShippedModels.Cliper : Checkpoint.Find(checkpoint), device);
        FaceCrop crop = Crop(predictor.Info, box, detector, given);
        var faces = new ConcurrentDictionary<string, PixelBox?>();
        samples = ImageFiles.Cut(samples, crop, (name, face) => faces[name] = face);
        if (windows is { } frames)
            return Timelines(parsed, predictor, files, frames.Window, frames.Stride, crop);
        var skipped = new Dictionary<string, string>();
        var predictions = new List<FilePrediction>();
        string? csv = parsed.GetValue(_csv);
        int width = predictor.Classes.Max(name => name.Length);
        foreach (FilePrediction prediction in (samples.Count == 0 ? [] : predictor.Predict(samples, clips, parsed.GetValue(_strict),
            (name, reason) => skipped[name] = reason, Cancellation)).Concat(OfVideos(predictor, files, crop, parsed.GetValue(_strict), skipped)))
        {
            predictions.Add(prediction);
            if (!Terminal.Json && csv != StandardOutput)
                Terminal.Out.WriteLine(Line(prediction, predictor.Classes, width));
        }
        if (Terminal.Json)
            WriteJson([.. predictions.Select(prediction => (prediction, (IReadOnlyList<TimelineRow>?)null))], predictor.Classes, faces);
        if (csv is not null)
            WriteCsv(csv, predictions, predictor.Classes);
        if (crop.Seeks && faces.Values.Count(face => face is null) is var faceless and > 0)
            Terminal.Say($"no face was found in {faceless} of {faces.Count} pictures; of those the centre is taken");
        SkippedPictures.Say(Terminal, skipped);
        return ExitCode.Done;
    }

    /// <summary>An answer for each video; one that cannot be decoded is left out unless that is an error.</summary>
    private IEnumerable<FilePrediction> OfVideos(Predictor predictor, IEnumerable<VideoFile> videos, FaceCrop crop, bool strict,
        Dictionary<string, string> skipped)
    {
        VideoPredictor model = predictor.ForVideo(crop, strict, Terminal.Say, text => Terminal.Say($"warning: {text}"));
        foreach (VideoFile video in videos)
        {
            Prediction prediction;
            try
            {
                prediction = model.Predict(video, Cancellation);
            }
            catch (InputException failure) when (!strict)
            {
                skipped[video.Path] = failure.Message;
                continue;
            }
            yield return new FilePrediction(video.Path, prediction);
        }
    }

    private int Timelines(ParseResult parsed, Predictor predictor, IReadOnlyList<VideoFile> videos, int window, int stride, FaceCrop crop)
    {
        VideoPredictor model = predictor.ForVideo(crop, parsed.GetValue(_strict), Terminal.Say, text => Terminal.Say($"warning: {text}"));
        string? csv = parsed.GetValue(_csv);
        int width = predictor.Classes.Max(name => name.Length);
        var all = new List<(FilePrediction, IReadOnlyList<TimelineRow>?)>();
        foreach (VideoFile video in videos)
        {
            Prediction? whole = null;
            var rows = new List<TimelineRow>();
            foreach (TimelineRow row in model.Timeline(video, window, stride, prediction => whole = prediction, Cancellation))
            {
                rows.Add(row);
                if (!Terminal.Json && csv != StandardOutput)
                    Terminal.Out.WriteLine(Format.Invariant($"{row.Start,8:F2} to {row.End,8:F2} s  ")
                        + Line(new FilePrediction(video.Path, row.Prediction), predictor.Classes, width));
            }
            all.Add((new FilePrediction(video.Path, whole!), rows));
            if (parsed.GetValue(_plot) is { } plot)
                WritePlot(plot, rows, predictor.Classes);
            if (parsed.GetValue(_annotate) is { } annotated)
                VideoAnnotation.Write(annotated, VideoFile.Open(video.Path), rows, predictor.Classes, crop, Cancellation);
        }
        if (Terminal.Json)
            WriteJson(all, predictor.Classes, new Dictionary<string, PixelBox?>());
        if (csv is not null)
            WriteText(csv, TimelineCsv(all, predictor.Classes));
        return ExitCode.Done;
    }

    /// <summary>Window and stride; null for one answer a file.</summary>
    private (int Window, int Stride)? Windows(ParseResult parsed, int videos, int others)
    {
        const int UsualWindow = 16;
        bool drawn = parsed.GetValue(_plot) is not null || parsed.GetValue(_annotate) is not null;
        int? window = parsed.GetValue(_window) ?? (drawn ? UsualWindow : null), stride = parsed.GetValue(_stride);
        if (parsed.GetValue(_plot) is { } plot && Path.GetExtension(plot).ToLowerInvariant() is not (".png" or ".svg"))
            throw new SettingsException($"--plot {plot}: the file is a .png or .svg");
        if (window is null)
            return stride is null && parsed.GetValue(_rate) == 0 ? null
                : throw new SettingsException("--stride and --rate are for --window N");
        if (window < 1 || stride < 1)
            throw new SettingsException($"--window and --stride are at least 1 frame, given were {window} and {stride ?? 1}");
        if (videos == 0 || others > 0)
            throw new SettingsException("--window, --plot and --annotate are for videos alone; give pictures in a run of their own");
        if (drawn && videos > 1)
            throw new SettingsException($"--plot and --annotate write one file; give one video, not {videos}");
        return (window.Value, stride ?? Math.Max(1, window.Value / 2));
    }

    /// <summary>Which part of a picture is looked at, which is said.</summary>
    private FaceCrop Crop(CheckpointInfo model, PixelBox? box, string? asked, FaceDetector? detector)
    {
        if (model.Alignment == FaceAlignment.Aligned)
            Terminal.Say("the model has learned from faces that were aligned, upright and tightly cut out: it knows others less well; "
                + "faces are cut out here, not turned");
        if (box is { } given)
            return FaceCrop.Given(given, model.FaceMargin);
        if (detector is null && asked is null && model.Alignment == FaceAlignment.WholeImage)
            Terminal.Say("the model has learned from whole pictures: no face is looked for, of each the centre is taken");
        else if (detector is null && asked is null && FaceDetector.Installed is { } installed)
            (asked, detector) = (installed, FaceDetector.Load(installed));
        else if (detector is null)
            Terminal.Say("no face is looked for: of each picture the centre is taken; --face-box X,Y,W,H says where the face is"
                + (asked is null ? ", and with OpenCV's cascades installed (Debian: opencv-data) it is found" : ""));
        if (detector is null)
            return FaceCrop.None;
        Terminal.Say($"faces are looked for with {asked} (--face-detector none takes the centre of each picture)");
        return FaceCrop.Sought(detector, model.FaceMargin);
    }

    private static PixelBox? Box(string? text)
    {
        if (text is null)
            return null;
        int[] values = [.. text.Split(',').Select(part =>
            int.TryParse(part, NumberStyles.AllowLeadingWhite | NumberStyles.AllowTrailingWhite, CultureInfo.InvariantCulture, out int value) ? value : -1)];
        return values is [>= 0, >= 0, > 0, > 0] ? new PixelBox(values[0], values[1], values[2], values[3])
            : throw new SettingsException($"--face-box is '{text}'; expected X,Y,W,H in whole pixels, such as 120,40,200,200");
    }

    private static void WritePlot(string path, IReadOnlyList<TimelineRow> rows, IReadOnlyList<string> classes)
    {
        byte[] bytes = Path.GetExtension(path).Equals(".svg", StringComparison.OrdinalIgnoreCase)
            ? Encoding.UTF8.GetBytes(TimelinePlot.Svg(rows, classes))
            : SkiaImageCodec.Instance.Encode(TimelinePlot.Picture(rows, classes), ImageFormat.Png);
        AtomicFile.Write(path, stream => stream.Write(bytes));
    }

    private static string Line(FilePrediction prediction, IReadOnlyList<string> classes, int width)
    {
        (int best, float[] probabilities, int subclass) = prediction.Prediction;
        return Format.Invariant($"{classes[best].PadRight(width)} {100 * probabilities[best],5:F1} %  descriptor {subclass}  {prediction.File}");
    }

    private void WriteJson(IReadOnlyList<(FilePrediction Whole, IReadOnlyList<TimelineRow>? Rows)> predictions, IReadOnlyList<string> classes,
        IReadOnlyDictionary<string, PixelBox?> faces) =>
        Terminal.WriteJson(json =>
        {
            json.WriteStartArray();
            foreach ((FilePrediction whole, IReadOnlyList<TimelineRow>? rows) in predictions)
            {
                json.WriteStartObject();
                json.WriteString("file", whole.File);
                Write(json, whole.Prediction, classes);
                if (faces.TryGetValue(whole.File, out PixelBox? face))
                    WriteFace(json, face);
                if (rows is not null)
                {
                    json.WriteStartArray("timeline");
                    foreach (TimelineRow row in rows)
                    {
                        json.WriteStartObject();
                        json.WriteNumber("start", row.Start);
                        json.WriteNumber("end", row.End);
                        Write(json, row.Prediction, classes);
                        json.WriteEndObject();
                    }
                    json.WriteEndArray();
                }
                json.WriteEndObject();
            }
            json.WriteEndArray();
        });

    private static void WriteFace(Utf8JsonWriter json, PixelBox? face)
    {
        if (face is not { } box)
        {
            json.WriteNull("face");
            return;
        }
        json.WriteStartArray("face");
        foreach (int value in new[] { box.X, box.Y, box.Width, box.Height })
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, Prediction prediction, IReadOnlyList<string> classes)
    {
        json.WriteString("label", classes[prediction.Class]);
        json.WriteStartObject("probabilities");
        foreach ((string name, float probability) in classes.Zip(prediction.Probabilities))
            json.WriteNumber(name, probability);
        json.WriteEndObject();
        json.WriteNumber("subclass", prediction.Subclass);
    }

    private void WriteCsv(string path, IEnumerable<FilePrediction> predictions, IReadOnlyList<string> classes) =>
        WriteText(path, predictions.Select(prediction => Csv.Line([prediction.File, .. Fields(prediction.Prediction, classes)]))
            .Prepend(Csv.Line(["file", "label", "subclass", .. classes])));

    private static IEnumerable<string> TimelineCsv(IEnumerable<(FilePrediction Whole, IReadOnlyList<TimelineRow>? Rows)> all, IReadOnlyList<string> classes) =>
        all.SelectMany(video => video.Rows!.Select(row => Csv.Line(
        [
            video.Whole.File, row.Start.ToString("F3", CultureInfo.InvariantCulture), row.End.ToString("F3", CultureInfo.InvariantCulture),
            .. Fields(row.Prediction, classes),
        ]))).Prepend(Csv.Line(["file", "start", "end", "label", "subclass", .. classes]));

    private static IEnumerable<string> Fields(Prediction prediction, IReadOnlyList<string> classes) =>
    [
        classes[prediction.Class], prediction.Subclass.ToString(CultureInfo.InvariantCulture),
        .. prediction.Probabilities.Select(value => value.ToString("R", CultureInfo.InvariantCulture)),
    ];

    private void WriteText(string path, IEnumerable<string> lines)
    {
        string text = string.Concat(lines.Select(line => line + "\n"));
        if (path == StandardOutput)
            Terminal.Out.Write(text);
        else
            AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }
}
