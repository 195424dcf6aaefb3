using System.CommandLine;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.Weights;

namespace Cliper.Cli.Commands;

/// <summary>The options that say which model answers.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> _model = new("--model")
    {
        Description = "A run's folder, a file of its checkpoints/, or a model that comes with the program: "
            + string.Join(", ", ShippedModels.All.Select(model => model.Name)) + ".",
        HelpName = "RUN|FILE|NAME",
    };

    // From before --model.
    private readonly Option<string?> _checkpoint = new("--checkpoint") { HelpName = "PATH", Hidden = true };

    private readonly Option<string?> _run = new("--run") { HelpName = "FOLDER", Hidden = true };

    private readonly Option<string?> _weights = new("--weights")
    {
        Description = "CLIP weights that answer zero-shot, by captions of the class names: a file, a folder, a "
            + "model's name in the local cache, a run, or a shipped model, whose CLIP is meant.",
        HelpName = "PATH|NAME",
    };

    private readonly Option<bool> _flip = new("--flip")
    {
        Description = "Looks at the mirror image of each image too: a little better, and twice the work.",
    };

    private readonly WeightsFactsOptions _facts = new();

    private readonly Option<bool> _allowUnfinished = new("--allow-unfinished")
    {
        Description = "Lets a run answer whose descriptors are not learned yet.",
    };

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> Options =>
        [_model, _checkpoint, _run, _weights, _flip, .. _facts.Options, _allowUnfinished];

    /// <summary>The options of a command that takes trained models alone.</summary>
    public IReadOnlyList<Option> TrainedOptions => [_model, _checkpoint, _run, _flip];

    /// <summary>Whether mirror images are looked at too.</summary>
    public bool IsFlip(ParseResult parsed) => parsed.GetValue(_flip);

    /// <summary>Opens a model that was asked for.</summary>
    /// <param name="request">The model.</param>
    /// <param name="parsed">Says how it looks.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="classes">The classes that weights answer with.</param>
    /// <exception cref="InputException">It is missing or damaged.</exception>
    public Predictor Open(ModelRequest request, ParseResult parsed, Device device,
        Func<IReadOnlyList<string>> classes)
    {
        bool flip = parsed.GetValue(_flip);
        return request.IsWeights ? Predictor.ZeroShot(request.Text, classes(), device, request.Stated, flip)
            : Predictor.Load(request.Find(), device, flip, parsed.GetValue(_allowUnfinished));
    }

    /// <summary>The options whose values may be files or folders that are read.</summary>
    public IReadOnlyList<Option<string?>> Files => [_model, _checkpoint, _run, _weights];

    /// <summary>The model that was asked for, not yet looked for; null where none was.</summary>
    /// <exception cref="SettingsException">More than one of the options is given.</exception>
    public ModelRequest? Read(ParseResult parsed)
    {
        Option<string?>[] given =
            [.. new[] { _model, _checkpoint, _run, _weights }.Where(option => parsed.GetValue(option) is not null)];
        ClipStatement? stated = _facts.Read(parsed);
        if (stated is not null && parsed.GetValue(_weights) is null)
            throw new SettingsException("--activation, --heads, --mean and --std are for CLIP weights (--weights); a "
                + "trained model has its own");
        return given.Length switch
        {
            0 => null,
            1 => new ModelRequest(parsed.GetValue(given[0])!, given[0] == _weights) { Stated = stated },
            _ => throw new SettingsException(
                $"{given[0].Name} and {given[1].Name} exclude each other: give one of them"),
        };
    }
}

/// <summary>A model that was asked for.</summary>
/// <param name="Text">How it was named.</param>
/// <param name="IsWeights">Whether it is CLIP weights, which have no classes of their own.</param>
internal sealed record ModelRequest(string Text, bool IsWeights)
{
    /// <summary>Facts that hold against those of the weights; null for none.</summary>
    public ClipStatement? Stated { get; init; }

    /// <summary>The model that answers where none is named.</summary>
    public static ModelRequest Default => new(ShippedModels.Default.Name, IsWeights: false);

    /// <summary>The model as one of those that come with the program; null for another.</summary>
    public ShippedModel? Shipped => IsWeights ? null : ShippedModels.Find(Text);

    /// <summary>The folder of the run whose model it is; null where a file is named.</summary>
    public string? Run => !IsWeights && Shipped is null && Directory.Exists(Text) ? Text : null;

    /// <summary>Its name in results: that of the run's folder, the file, or the model.</summary>
    public string Name => IsWeights || Shipped is not null ? Text
        : Path.GetFileName(Path.TrimEndingDirectorySeparator(Text));

    /// <summary>The checkpoint's file.</summary>
    /// <exception cref="InputException">There is none.</exception>
    public string Find()
    {
        if (Shipped is null && !Path.Exists(Text))
            throw new InputException($"{Text}: no such file or folder, and no model of this name comes with the "
                + $"program{Suggestion.Hint(Text, ShippedModels.All.Select(model => model.Name))}");
        return Checkpoint.Find(Text);
    }
}
