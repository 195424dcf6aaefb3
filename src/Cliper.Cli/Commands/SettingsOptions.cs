using System.CommandLine;
using System.Globalization;
using Cliper.Model;
using Cliper.Model.DataSets;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>
/// Where a run's settings come from: a recipe by name, a JSON file over it, options over both. Options of their own
/// stand for the settings that are changed most; --set reaches all the others.
/// </summary>
/// <param name="stages">Whether the stages' own options are wanted.</param>
internal sealed class SettingsOptions(bool stages)
{
    private const string EveryFold = "all";

    private readonly Option<string?> _recipe = new("--recipe")
    {
        Description = $"Settings to begin with: {string.Join(", ", Recipes.Names)}.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _protocol = new("--protocol")
    {
        Description = "Another form of the recipe's protocol: script or paper (rafdb), ial (dfew, ferv39k, afew: "
            + "without clips of fewer than 16 frames).",
        HelpName = "NAME",
    };

    private readonly Option<string?> _config = new("--config")
    {
        Description = "JSON file of settings over the recipe's, such as a run's config.json.",
        HelpName = "FILE",
    };

    private readonly Option<string[]> _set = new("--set")
    {
        Description = "One setting by its path in config.json, such as stage2.learningRate=1e-5. Can be repeated.",
        HelpName = "PATH=VALUE",
    };

    private readonly Option<string?> _method = new("--method")
    {
        Description = $"How to train: {string.Join(", ", TrainingMethods.Names)}; its protocol takes the place of the "
            + "recipe's stages.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _stage = new("--stage")
    {
        Description = "Runs one stage alone: 1 or 2. Stage 2 begins from a run of stage 1: give --init.",
        HelpName = "STAGE",
    };

    private readonly Option<string?> _balance = new("--balance")
    {
        Description = "What is done for rare classes: none, sampling (every class drawn equally often) or logits "
            + "(adjusted by the classes' frequencies, as logitAdjustment=1).",
        HelpName = "RULE",
    };

    private readonly StrictOption _strict = new();

    // Each option with the settings it stands for.
    private readonly (Option<string?> Option, string[] Paths)[] _values =
    [
        (Value("--data", "Folder or file of pictures or clips.", "PATH"), ["data"]),
        (Value("--dataset", $"Layout of the data: {string.Join(", ", DataSetRegistry.Names)} or {RunData.Drawn}.",
        "NAME"), ["dataSet"]),
        (Value("--fold",
        "Which fold is the test split: its number, or all for each in turn, every one in a folder of its own.", "N|all",
        "--folds"), ["fold"]),
        (Value("--seed", "Seed of every random number.", "N"), ["seed"]),
        (Value("--batch-size", "Samples a step, in every phase.", "N"), ["pretrain.batchSize", "stage1.batchSize",
        "stage2.batchSize"]),
        (Value("--pretrain-epochs", "Epochs of contrastive pre-training; 0 leaves it out.", "N"), ["pretrain.epochs"]),
    ];

    private readonly (Option<string?> Option, string[] Paths)[] _stageValues =
    [
        (Value("--weights",
        "CLIP weights: a file in any form that 'weights inspect' reads, a Hugging Face folder, a model's name in its "
        + "local cache, a run, or a shipped model, whose CLIP is meant.", "PATH|NAME"), ["weights"]),
        (WeightsFactsOptions.Activation(), ["weightsFacts.activation"]),
        (WeightsFactsOptions.Heads(), ["weightsFacts.heads"]),
        (WeightsFactsOptions.Mean(), ["weightsFacts.mean"]),
        (WeightsFactsOptions.Std(), ["weightsFacts.std"]),
        (Value("--init", "Checkpoint, run or shipped model to begin with, towers and descriptors: AFEW after DFEW.",
        "PATH|NAME"), ["init"]),
        (Value("--face-detector", "Measures where the training images show their faces with this cascade of OpenCV, "
        + "for a predict with the same one.", "FILE"), ["faceDetector"]),
        (Value("--tokenizer", "Tokenizer file or folder, where the weights bring none.", "PATH"), ["tokenizer"]),
        (Value("--stage1-epochs", "Epochs of stage 1, the descriptors; 0 leaves it out.", "N"), ["stage1.epochs"]),
        (Value("--stage2-epochs", "Epochs of stage 2, the image tower; 0 leaves it out.", "N"), ["stage2.epochs"]),
        (Value("--stage1-lr", "Learning rate of stage 1.", "RATE"), ["stage1.learningRate"]),
        (Value("--stage2-lr", "Peak learning rate of stage 2.", "RATE"), ["stage2.learningRate"]),
        (Value("--shots", "Training samples of each class, chosen by the seed; 0 for all.", "N"), ["shots"]),
        (Value("--select", "Which epoch's model the run ends with: last, best-on-validation or best-on-test.", "RULE"),
        ["select"]),
    ];

    /// <summary>All of them, to be added to a command.</summary>
    public IEnumerable<Option> All =>
        [
            _recipe, .. stages ? [_protocol] : Array.Empty<Option>(), _config,
            .. Values.Select(value => value.Option),
            .. stages ? [_method, _balance, _stage] : Array.Empty<Option>(), _strict, _set,
        ];

    private IEnumerable<(Option<string?> Option, string[] Paths)> Values => stages ? [.. _values, .. _stageValues]
        : _values;

    /// <summary>The settings that a command line gives, to be looked at: weights and data may be missing.</summary>
    /// <inheritdoc cref="Resolve"/>
    public TrainSettings Preview(ParseResult parsed, string? resumed)
    {
        TrainSettings settings = Layered(parsed, resumed);
        bool begins = settings.Weights.Length + settings.Init.Length + settings.Pretrain.Epochs > 0;
        (begins ? settings : settings with { Weights = "WEIGHTS" }).Check();
        return settings.WithFullPaths();
    }

    /// <summary>The settings of a run, checked.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="resumed">Path of the config.json of the run to resume, which then takes the recipe's place.</param>
    /// <exception cref="SettingsException">Something is unknown, of the wrong kind or out of range.</exception>
    public TrainSettings Resolve(ParseResult parsed, string? resumed = null)
    {
        TrainSettings settings = Layered(parsed, resumed);
        settings.Check();
        return settings.WithFullPaths();
    }

    /// <summary>The settings without those that --set gives, and these as they are written; nothing is
    /// checked.</summary>
    /// <exception cref="SettingsException">Something is unknown or of the wrong kind.</exception>
    public (TrainSettings Settings, IReadOnlyList<(string Path, string Value)> Sets) Parts(ParseResult parsed) =>
        (Layered(parsed, resumed: null, withSets: false).WithFullPaths(), [.. Sets(parsed)]);

    /// <summary>The settings of one method of several: where neither recipe nor file is given it has its own defaults.
    /// Options for a stage that it lacks, and a number of descriptors that it fixes, are for the others.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="method">The method.</param>
    /// <exception cref="SettingsException">Something is unknown or of the wrong kind.</exception>
    public TrainSettings OfMethod(ParseResult parsed, TrainingMethod method)
    {
        string? file = parsed.GetValue(_config);
        TrainSettings settings = parsed.GetValue(_recipe) is { } recipe ? Named(recipe, parsed.GetValue(_protocol))
            : MethodDefaults.WithoutRecipe;
        if (file is not null)
            settings = SettingsJson.Read(file, settings);
        settings = MethodDefaults.Over(settings, method);
        return SettingsJson.With(settings, Flags(parsed).Concat(Sets(parsed)).Where(pair =>
            MethodDefaults.Takes(method, pair.Path))).WithFullPaths();
    }

    private TrainSettings Layered(ParseResult parsed, string? resumed, bool withSets = true)
    {
        string? recipe = parsed.GetValue(_recipe), file = parsed.GetValue(_config);
        TrainSettings settings = recipe is not null ? Named(recipe, parsed.GetValue(_protocol))
            : parsed.GetValue(_protocol) is { } protocol ? throw new SettingsException(
                $"--protocol {protocol} is a form of a recipe's protocol: give --recipe too")
            : resumed is not null ? TrainSettings.OfRun(resumed)
            : file is not null ? new TrainSettings()
            : stages && parsed.GetValue(_method) is not null ? MethodDefaults.WithoutRecipe
            : throw new SettingsException(
            $"no settings: give --recipe ({string.Join(", ", Recipes.Names)}) or --config FILE");
        if (file is not null)
            settings = SettingsJson.Read(file, WithMethod(settings, SettingsJson.Read(file, settings).Method));
        if (stages && MethodOf(parsed) is { } method)
            settings = WithMethod(settings, TrainingMethods.Parse(method));
        settings = SettingsJson.With(settings, Flags(parsed).Concat(withSets ? Sets(parsed) : []));
        if (stages)
            settings = Only(parsed.GetValue(_stage), settings);
        if (resumed is not null)
            settings = settings with { SplitVersion = TrainSettings.OfRun(resumed).SplitVersion };
        return settings;
    }

    /// <summary>The option that gives single settings.</summary>
    public Option<string[]> Set => _set;

    /// <summary>The file that --config names; null for none.</summary>
    public string? FileOf(ParseResult parsed) => parsed.GetValue(_config);

    private static TrainSettings Named(string recipe, string? protocol) => Recipes.Names.Contains(recipe)
        ? Recipes.Get(recipe, protocol)
        : throw new SettingsException(
        $"no recipe '{recipe}'; there are {string.Join(", ", Recipes.Names)}{Suggestion.Hint(recipe, Recipes.Names)}");

    private IEnumerable<(string Path, string Value)> Flags(ParseResult parsed)
    {
        if (parsed.GetValue(_strict))
            yield return ("strict", "true");
        if (stages && parsed.GetValue(_balance) is { } rule)
        {
            yield return ("balanced", rule switch
            {
                "sampling" => "true",
                "none" or "logits" => "false",
                _ => throw new SettingsException($"--balance is '{rule}'; there are none, sampling and logits"),
            });
            yield return ("logitAdjustment", rule == "logits" ? "1" : "0");
        }
        foreach ((Option<string?> option, string[] paths) in Values)
            if (parsed.GetValue(option) is { } text)
                foreach (string path in paths)
                    yield return (path, ValueOf(path, text));
    }

    /// <summary>A value of the command line in the spelling of the settings.</summary>
    private static string ValueOf(string path, string text) => path switch
    {
        "select" => ToCamelCase(text),
        "fold" when text == EveryFold => $"{TrainSettings.AllFolds}",
        _ => text,
    };

    private IEnumerable<(string Path, string Value)> Sets(ParseResult parsed)
    {
        foreach (string pair in parsed.GetValue(_set) ?? [])
        {
            int at = pair.IndexOf('=');
            if (at <= 0)
                throw new SettingsException($"--set {pair}: expected PATH=VALUE, such as stage2.epochs=10");
            yield return (pair[..at], pair[(at + 1)..]);
        }
    }

    // A method's protocol comes before single settings, wherever it is named.
    private string? MethodOf(ParseResult parsed) => parsed.GetValue(_method)
        ?? Sets(parsed).Where(pair => pair.Path == "method").Select(pair => pair.Value).LastOrDefault();

    private static TrainSettings WithMethod(TrainSettings settings, TrainingMethod method) =>
        method == settings.Method ? settings : MethodDefaults.Over(settings, method);

    /// <summary>The settings with the other stage left out.</summary>
    private static TrainSettings Only(string? stage, TrainSettings settings)
    {
        StageSettings none = new();
        return stage switch
        {
            null => settings,
            "1" => settings with { Stage2 = none },
            "2" => settings with { Stage1 = none },
            _ => throw new SettingsException($"--stage is '{stage}'; there are 1 and 2"),
        };
    }

    private static Option<string?> Value(string name, string description, string value, params string[] aliases) =>
        new(name, aliases) { Description = description, HelpName = value };

    /// <summary>Turns "best-on-test" into "bestOnTest".</summary>
    private static string ToCamelCase(string words) => string.Concat(words.Split('-').Select((word, index) =>
        index == 0 || word.Length == 0 ? word : char.ToUpper(word[0], CultureInfo.InvariantCulture) + word[1..]));
}
