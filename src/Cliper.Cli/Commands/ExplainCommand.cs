using System.CommandLine;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Video;

namespace Cliper.Cli.Commands;

/// <summary>Shows what a model has learned, and why it answers as it does.</summary>
internal sealed class ExplainCommand : CliCommand
{
    private const string UsualMap = "relevance", UsualFolder = "explain";

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Pictures, folders of pictures, and videos, to draw maps over.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly ModelOptions _model = new();

    private readonly LabeledDataOptions _labeled = new(isRequired: false);

    private readonly Option<int?> _drawn = new("--pictures")
    {
        Description = $"With --dataset {RunData.Drawn}: how many faces are drawn.",
        HelpName = "N",
    };

    private readonly Option<string?> _maps = new("--map")
    {
        Description = $"Maps to draw over pictures, separated by commas: {string.Join(", ", Explanation.Maps)}; "
            + $"without it {UsualMap}.",
        HelpName = "NAME,NAME,...",
    };

    private readonly Option<string?> _class = new("--class")
    {
        Description = "The class that maps and curves explain; without it the predicted one.",
        HelpName = "NAME",
    };

    private readonly Option<bool> _clips = new("--clips")
    {
        Description = "Each folder with pictures is one clip, its frames sorted by name.",
    };

    private readonly Option<int> _points = new("--points")
    {
        Description = "Most samples in the plane of features (t-SNE); 0 for no plane.",
        HelpName = "N",
        DefaultValueFactory = _ => 1000,
    };

    private readonly Option<int> _shuffles = new("--shuffles")
    {
        Description = "Shuffles that stand beside the measured information.",
        HelpName = "N",
        DefaultValueFactory = _ => 1000,
    };

    private readonly Option<ulong> _seed = new("--seed")
    {
        Description = "Seed of choices and shuffles.",
        HelpName = "N",
    };

    private readonly FaceOptions _faces = new();

    private readonly Option<string?> _out = new("--out")
    {
        Description =
            $"Folder for report.html, tables and drawings; without it {UsualFolder}, of a run RUN/{UsualFolder}.",
        HelpName = "DIR",
    };

    private readonly StrictOption _strict = new();

    public ExplainCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("explain", "What a model has learned: nearest words, samples by descriptor, maps over pictures.",
            terminal, common, cancellation)
    {
        Add(_paths);
        foreach (Option option in (Option[])[.. _model.TrainedOptions, .. _labeled.Options, _drawn, _maps, _class,
            _clips, _points, _shuffles, _seed, .. _faces.Options, _out, _strict])
            Add(option);
    }

    /// <inheritdoc/>
    protected override int Run(ParseResult parsed)
    {
        ModelRequest model = _model.Read(parsed) ?? ModelRequest.Default;
        FaceOptions.FaceRequest faces = _faces.Read(parsed);
        string[] paths = parsed.GetValue(_paths)!;
        Check(parsed, paths);
        string folder = parsed.GetValue(_out) ?? (model.Run is { } run ? Path.Combine(run, UsualFolder) : UsualFolder);
        AtomicFile.Check(Path.Combine(folder, "report.html"));
        using Device device = Common.OpenDevice(parsed);
        using Predictor predictor = _model.Open(model, parsed, device, () => []);
        foreach (string note in predictor.Notes)
            Terminal.Say($"{model.Name}: {note}");
        BlazeFace? network = null;
        FaceCrop crop = paths.Length == 0 ? FaceCrop.None : faces.CropFor(predictor.Info,
            model.Shipped?.IsOfCrops == true, () => network = new BlazeFace(), Terminal.Say);
        using BlazeFace? ended = network;
        ExplanationResult result = Explanation.Run(predictor,
            WithData(WithPaths(RequestOf(parsed, model, folder, crop), parsed, paths), parsed, model), Cancellation);
        Write(result, model, folder);
        SkippedPictures.Say(Terminal, result.Skipped);
        bool isRead = result.Lines.Count > 0 || result.Skipped.Count == 0
            || result.Skipped.Values.Contains(PredictionDocument.NoFace);
        return isRead ? ExitCode.Done : ExitCode.Input;
    }

    private void Write(ExplanationResult result, ModelRequest model, string folder)
    {
        if (Terminal.Json)
        {
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("model", model.Name);
                json.WriteString("out", folder);
                json.WriteStartArray("files");
                foreach (string file in result.Files)
                    json.WriteStringValue(file);
                json.WriteEndArray();
                json.WriteStartArray("findings");
                foreach (string line in result.Lines)
                    json.WriteStringValue(line);
                json.WriteEndArray();
                json.WriteNumber("skipped", result.Skipped.Count);
                SkippedPictures.Write(json, result.Skipped);
                json.WriteEndObject();
            });
            return;
        }
        foreach (string line in result.Lines)
            Terminal.Out.WriteLine(line);
        Terminal.Out.WriteLine($"{Path.Combine(folder, result.Files[0])} and {result.Files.Count - 1} more files");
    }

    private ExplanationRequest RequestOf(ParseResult parsed, ModelRequest model, string folder, FaceCrop crop)
    {
        var lines = new WorkLines(Terminal);
        return new ExplanationRequest
        {
            Name = model.Name,
            Folder = folder,
            Crop = crop,
            Maps = [.. (parsed.GetValue(_maps) ?? UsualMap).Split(',', StringSplitOptions.TrimEntries)],
            Class = parsed.GetValue(_class),
            Points = parsed.GetValue(_points),
            Shuffles = parsed.GetValue(_shuffles),
            Seed = parsed.GetValue(_seed),
            Strict = parsed.GetValue(_strict),
            Progress = lines.Tell,
            Say = Terminal.Say,
        };
    }

    /// <summary>Adds the pictures, clips and videos that were named.</summary>
    private ExplanationRequest WithPaths(ExplanationRequest request, ParseResult parsed, string[] paths)
    {
        string[] videos = [.. paths.Where(ImageFiles.IsVideo)], others = [.. paths.Except(videos)];
        var leftOut = new Dictionary<string, string>();
        IReadOnlyList<Sample> samples = others.Length == 0 ? [] : parsed.GetValue(_clips)
            ? ImageFiles.Clips(others, leftOut.Add) : ImageFiles.Pictures(others, leftOut.Add);
        SkippedPictures.SayLeftOut(Terminal, leftOut);
        var roles = new FileRoles();
        foreach (string file in videos.Concat(samples.SelectMany(sample => sample.Frames).Select(frame => frame.Name)))
        {
            roles.Read(file, "PATH");
            if (Path.GetDirectoryName(Path.GetFullPath(file)) == Path.GetFullPath(request.Folder))
                throw new SettingsException($"{file} lies in {request.Folder}, where the drawings are written: name "
                    + "another folder with --out");
        }
        return request with
        {
            Pictures = parsed.GetValue(_clips) ? [] : samples,
            Clips = parsed.GetValue(_clips) ? samples : [],
            Videos = [.. videos.Select(video => VideoFile.Open(video, cancellation: Cancellation))],
        };
    }

    /// <summary>Adds the data that was named; of a run without any, its own.</summary>
    private ExplanationRequest WithData(ExplanationRequest request, ParseResult parsed, ModelRequest model)
    {
        TrainSettings? settings = model.Run is { } run ? LabeledDataOptions.SettingsOf(run, Terminal.Say) : null;
        string? dataSet = _labeled.DataSetOf(parsed), data = _labeled.PathOf(parsed);
        if (dataSet == RunData.Drawn)
            return data is not null ? throw new SettingsException($"--dataset {RunData.Drawn} is drawn by the program: "
                + "leave --data out")
                : request with { IsDrawn = true, DrawnCount = parsed.GetValue(_drawn), Settings = settings };
        return data is null ? request
            : request with { Split = _labeled.Open(parsed, model.Run, Terminal.Say, Cancellation).Split };
    }

    /// <summary>Refuses what makes no sense together, before a model is read.</summary>
    private void Check(ParseResult parsed, string[] paths)
    {
        bool isDrawn = _labeled.DataSetOf(parsed) == RunData.Drawn;
        if (_labeled.PathOf(parsed) is null && !isDrawn && _labeled.DataSetOf(parsed) is not null)
            throw new SettingsException("--dataset names a layout, and there is no data: give --data");
        if (parsed.GetValue(_drawn) is { } count && (!isDrawn || count < 1))
            throw new SettingsException(isDrawn ? $"--pictures is {count}; at least 1 is expected"
                : $"--pictures is for --dataset {RunData.Drawn}");
        if (paths.Length == 0 && (parsed.GetValue(_maps) ?? parsed.GetValue(_class)) is not null)
            throw new SettingsException("--map and --class are for pictures and videos: name some");
        if (paths.Length == 0 && parsed.GetValue(_clips))
            throw new SettingsException("--clips is for folders of frames: name some");
        foreach ((Option<int> option, int least) in new[] { (_points, 0), (_shuffles, 1) })
            if (parsed.GetValue(option) is var number && number < least)
                throw new SettingsException($"{option.Name} is {number}; at least {least} is expected");
    }
}
