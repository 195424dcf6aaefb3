using System.CommandLine;
using System.Text;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Faces;
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

    /// <summary>The classes of CLIP weights that are given without classes: the seven of most data sets.</summary>
    private static readonly string[] UsualClasses =
        ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"];

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Pictures, folders of pictures, and videos; - is a picture from standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly ModelOptions _model = new();

    private readonly Option<string?> _classes = new("--classes")
    {
        Description = "The classes that --weights answer with, separated by commas; without it the seven usual ones.",
        HelpName = "NAME,NAME,...",
    };

    private readonly Option<float> _minProbability = new("--min-probability")
    {
        Description = "An answer that is less probable is called uncertain.",
        HelpName = "P",
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

    private readonly Option<bool> _csvSafe = new("--csv-safe")
    {
        Description = "Texts of the CSV file that a spreadsheet would compute as formulas (= + - @) begin with '.",
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
        foreach (Option option in (Option[])[.. _model.Options, _classes, _minProbability, _clips, _window, _stride,
            _rate, _csv, _csvSafe, _plot, _annotate, .. _faces.Options, _strict])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        bool clips = parsed.GetValue(_clips);
        string[] paths = parsed.GetValue(_paths)!;
        FaceOptions.FaceRequest asked = _faces.Read(parsed);
        (ModelRequest request, float leastProbability) = (RequestOf(parsed), LeastProbabilityOf(parsed));
        string[] videos = [.. paths.Where(ImageFiles.IsVideo)], others = [.. paths.Except(videos)];
        (int Window, int Stride)? windows = Windows(parsed, videos.Length, others.Length);
        var leftOut = new Dictionary<string, string>();
        IReadOnlyList<Sample> samples = others.Length == 0 ? [] : clips ? ImageFiles.Clips(others, leftOut.Add)
            : Pictures(others, leftOut.Add);
        IReadOnlyDictionary<string, string> targets = windows is null && !clips
            && parsed.GetValue(_annotate) is { } folder
            ? PredictDrawings.Targets(folder, [.. samples.Select(sample => sample.Name)])
            : new Dictionary<string, string>();
        FileRoles roles = CheckOutputs(parsed, paths, samples, targets.Values);
        var unread = new Dictionary<string, string>();
        VideoFile[] files = Open(videos, parsed, unread);
        using Device device = Common.OpenDevice(parsed);
        using Predictor predictor = _model.Open(request, parsed, device, () => ClassesOf(parsed));
        roles.Read(predictor.Path, "the model");
        var model = new AnsweringModel(request.Name, predictor.Path, predictor.Method,
            predictor.Notes, new ExpressionNames(predictor.Classes, leastProbability));
        foreach (string note in model.Notes)
            Terminal.Say($"{model.Name}: {note}");
        BlazeFace? network = null;
        FaceCrop crop = asked.CropFor(predictor.Info, request.Shipped?.IsOfCrops == true, () =>
            network = new BlazeFace(), Terminal.Say);
        using BlazeFace? ended = network;
        var run = new PredictRun(Terminal, predictor, crop, parsed.GetValue(_strict), Cancellation);
        foreach (string warning in predictor.Warnings)
            run.Say(WeightsFactsOptions.Explain(warning));
        var drawings = new PredictDrawings(model, Cancellation);
        IEnumerable<FileResult> answers = windows is { } frames ? run.Timelines(files, frames.Window, frames.Stride)
            : (clips ? run.Clips(samples) : run.Pictures(samples)).Concat(run.Videos(files));
        var results = new List<FileResult>();
        foreach (FileResult result in answers)
        {
            results.Add(result);
            if (!Terminal.Json && parsed.GetValue(_csv) != StandardOutput)
                PredictionText.Write(Terminal.Out, result, model.Names);
            if (windows is not null)
                drawings.WriteVideo(result, parsed.GetValue(_plot), parsed.GetValue(_annotate));
        }
        if (Terminal.Json)
            Terminal.WriteJson(json => new PredictionDocument(model, Cancellation).Write(json, run.Warnings,
                run.Skipped.Concat(unread).Concat(leftOut).ToDictionary(), results));
        if (parsed.GetValue(_csv) is { } csv)
            WriteText(csv, new PredictionTable(model, parsed.GetValue(_csvSafe)).Lines(results, windows is not null));
        if (targets.Count > 0)
            drawings.WritePictures(targets, results, samples);
        SkippedPictures.SayLeftOut(Terminal, leftOut);
        return SayWhatIsMissing(run.Skipped.Concat(unread).ToDictionary(), results.Count);
    }

    /// <summary>The model that was asked for, or the one that answers where none was, which is said.</summary>
    private ModelRequest RequestOf(ParseResult parsed)
    {
        ModelRequest? request = _model.Read(parsed);
        if (parsed.GetValue(_classes) is not null && request is not { IsWeights: true })
            throw new SettingsException("--classes is for CLIP weights (--weights); a trained model has its own");
        if (request is not null)
            return request;
        Terminal.Say($"no --model is given: the answers are those of {ModelRequest.Default.Name}");
        return ModelRequest.Default;
    }

    private string[] ClassesOf(ParseResult parsed)
    {
        string[] classes = parsed.GetValue(_classes)?.Split(',', StringSplitOptions.TrimEntries) ?? UsualClasses;
        return classes.Length > 1 && classes.All(name => name.Length > 0)
            && classes.Distinct(StringComparer.Ordinal).Count() == classes.Length ? classes
            : throw new SettingsException(
                $"--classes is '{parsed.GetValue(_classes)}'; expected two names or more that differ, such as "
                + "happy,sad");
    }

    private float LeastProbabilityOf(ParseResult parsed)
    {
        float least = parsed.GetValue(_minProbability);
        return least is >= 0 and <= 1 ? least : throw new SettingsException(
            FormattableString.Invariant($"--min-probability is {least}; it must lie within 0 and 1"));
    }

    /// <summary>The pictures of paths, and the one from standard input; what folders have beside is told.</summary>
    private IReadOnlyList<Sample> Pictures(string[] paths, Action<string, string> leftOut)
    {
        if (!paths.Contains(StandardInputPicture.Path))
            return ImageFiles.Pictures(paths, leftOut);
        using Stream input = Terminal.In;
        string[] others = [.. paths.Where(path => path != StandardInputPicture.Path)];
        return [StandardInputPicture.Read(input), .. others.Length == 0 ? [] : ImageFiles.Pictures(others, leftOut)];
    }

    /// <summary>Says which files have no answer, and why; the exit code that follows.</summary>
    private int SayWhatIsMissing(IReadOnlyDictionary<string, string> skipped, int answered)
    {
        int faceless = skipped.Values.Count(reason => reason == PredictionDocument.NoFace);
        if (faceless > 0)
            Terminal.Say($"no face was found in {faceless} of {answered + skipped.Count} files; they have no answer"
                + (faceless > answered ? " (--faces none takes every picture as a face)" : ""));
        SkippedPictures.Say(Terminal, skipped.Where(entry => entry.Value != PredictionDocument.NoFace).ToDictionary());
        return answered == 0 && faceless == 0 ? ExitCode.Input : ExitCode.Done;
    }

    /// <summary>The videos that can be opened; the others are skipped unless that is an error.</summary>
    private VideoFile[] Open(IEnumerable<string> videos, ParseResult parsed, Dictionary<string, string> unread)
    {
        var files = new List<VideoFile>();
        foreach (string video in videos)
            try
            {
                files.Add(VideoFile.Open(video, parsed.GetValue(_rate), Cancellation));
            }
            catch (InputException failure) when (!parsed.GetValue(_strict) && Path.Exists(video)
                && failure.Remedy == Remedy.None)
            {
                unread[video] = failure.Message;
            }
        return [.. files];
    }

    /// <summary>Refuses outputs that cannot be written, and those that would replace what is read.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="paths">Inputs as they are given.</param>
    /// <param name="samples">Pictures that folders hold.</param>
    /// <param name="annotated">Files of annotated pictures.</param>
    private FileRoles CheckOutputs(ParseResult parsed, string[] paths, IReadOnlyList<Sample> samples,
        IEnumerable<string> annotated)
    {
        if (Terminal.Json && parsed.GetValue(_csv) == StandardOutput)
            throw new SettingsException("--json and --csv - both write to standard output: give --csv a file");
        var roles = new FileRoles();
        foreach (string path in paths.Where(File.Exists).Concat(samples.SelectMany(sample => sample.Frames)
            .Select(frame => frame.Name)))
            roles.Read(path, "PATH");
        foreach (Option<string?> option in _faces.Files.Concat(_model.Files))
            roles.Read(parsed.GetValue(option), option.Name);
        foreach (Option<string?> option in new[] { _csv, _plot })
            Check(parsed.GetValue(option), option.Name);
        // A single picture with an answer is written to the path itself.
        if (!Directory.Exists(parsed.GetValue(_annotate)))
            Check(parsed.GetValue(_annotate), _annotate.Name);
        foreach (string picture in annotated.Where(picture => picture != parsed.GetValue(_annotate)))
            Check(picture, _annotate.Name);
        return roles;

        void Check(string? path, string name)
        {
            roles.Write(path, name);
            if (path is not (null or StandardOutput))
                AtomicFile.Check(path);
        }
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

    private void WriteText(string path, IEnumerable<string> lines)
    {
        string text = string.Concat(lines.Select(line => line + "\n"));
        if (path == StandardOutput)
            Terminal.Documents.Write(text);
        else
            AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }
}
