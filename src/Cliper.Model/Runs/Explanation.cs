using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Video;

namespace Cliper.Model.Runs;

/// <summary>Says which model and files to explain, and where to write.</summary>
public sealed record ExplanationRequest
{
    /// <summary>Name of the model, for the page.</summary>
    public required string Name { get; init; }

    /// <summary>The folder to write into.</summary>
    public required string Folder { get; init; }

    /// <summary>Labeled samples that show the descriptors; null for none.</summary>
    public DataSplit? Split { get; init; }

    /// <summary>Whether the samples are synthetic faces, drawn anew; <see cref="Split"/> is null then.</summary>
    public bool IsDrawn { get; init; }

    /// <summary>How many synthetic faces; null for as many as a run tests on.</summary>
    public int? DrawnCount { get; init; }

    /// <summary>Settings of the model's run, of which the style and seed of synthetic faces hold; null for the
    /// demo's.</summary>
    public TrainSettings? Settings { get; init; }

    /// <summary>Pictures to draw maps over.</summary>
    public IReadOnlyList<Sample> Pictures { get; init; } = [];

    /// <summary>Videos to draw maps over and to follow over time.</summary>
    public IReadOnlyList<VideoFile> Videos { get; init; } = [];

    /// <summary>Clips, folders of frames, likewise.</summary>
    public IReadOnlyList<Sample> Clips { get; init; } = [];

    /// <summary>Which parts of the pictures are faces.</summary>
    public FaceCrop Crop { get; init; } = FaceCrop.None;

    /// <summary>Names of the maps, of <see cref="Explanation.Maps"/>.</summary>
    public IReadOnlyList<string> Maps { get; init; } = [];

    /// <summary>The class that maps and curves explain; null for the predicted one.</summary>
    public string? Class { get; init; }

    /// <summary>Most samples in the plane of features; 0 for no plane.</summary>
    public int Points { get; init; } = 1000;

    /// <summary>Shuffles that stand beside the measured information.</summary>
    public int Shuffles { get; init; } = 1000;

    /// <summary>Seed of choices and shuffles.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether an unreadable file is an error; else it is left out.</summary>
    public bool Strict { get; init; }

    /// <summary>Receives words for a work and the fraction that is done.</summary>
    public Action<string, double>? Progress { get; init; }

    /// <summary>Receives sentences on damage and on frames without a face.</summary>
    public Action<string>? Say { get; init; }
}

/// <summary>The files of an explanation.</summary>
/// <param name="Files">Their names in the folder, the page first.</param>
/// <param name="Lines">The findings, in lines for a person.</param>
/// <param name="Skipped">Files that could not be read or have no face, with reasons.</param>
public sealed record ExplanationResult(IReadOnlyList<string> Files, IReadOnlyList<string> Lines,
    IReadOnlyDictionary<string, string> Skipped);

/// <summary>
/// Explains a model: the words near its learned tokens (the paper's Table VI), samples by their nearest descriptor
/// (Figure 3), features in the plane, what descriptors tell about traits, maps over pictures, and clips over time.
/// </summary>
public static class Explanation
{
    /// <summary>Names of the maps.</summary>
    public static IReadOnlyList<string> Maps { get; } = [.. PictureExplanation.Methods.Keys];

    /// <summary>Explains and writes.</summary>
    /// <param name="predictor">The model.</param>
    /// <param name="request">The model and files to explain.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Something is missing or damaged, or the image tower has no
    /// attention.</exception>
    /// <exception cref="SettingsException">A map or class is unknown.</exception>
    /// <exception cref="IOException">A file cannot be written.</exception>
    public static ExplanationResult Run(Predictor predictor, ExplanationRequest request,
        CancellationToken cancellation = default)
    {
        var skipped = new Dictionary<string, string>();
        var pictures = new PictureExplanation(predictor, request, skipped, cancellation);
        ExplainReport report = SplitExplanation.Of(predictor, request.Name, request.Seed);
        SyntheticFacesData? faces = request.IsDrawn
            ? SplitExplanation.Drawn(request.Settings, predictor.Model.Clip.Vision.Input.ImageSize, request.DrawnCount)
            : null;
        if ((faces?.ToSplit() ?? request.Split) is { } split)
        {
            (report, IReadOnlyDictionary<string, string> unread) = report.With(predictor, split, faces, request,
                cancellation);
            foreach ((string name, string reason) in unread)
                skipped[name] = reason;
        }
        report = pictures.AddTo(report);
        IReadOnlyList<string> files = ExplainFiles.Write(request.Folder, report);
        return new ExplanationResult(files, [.. ExplainText.Lines(report)], skipped);
    }
}
