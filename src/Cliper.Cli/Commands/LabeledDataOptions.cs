using System.CommandLine;
using Cliper.Model;
using Cliper.Model.DataSets;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Labeled samples that were asked for.</summary>
/// <param name="Split">The samples.</param>
/// <param name="Format">Layout of the data.</param>
internal sealed record LabeledData(DataSplit Split, string Format);

/// <summary>The options that name labeled data and a split of it.</summary>
internal sealed class LabeledDataOptions
{
    /// <summary>Name of the option for the folder or file.</summary>
    public const string DataName = "--data";

    private readonly Option<string?> _data;

    private readonly Option<string?> _dataSet = new("--dataset")
    {
        Description = "Layout of the data; auto without it.",
        HelpName = "NAME",
    };

    private readonly Option<string?> _split = new("--split")
    {
        Description =
            "Split to look at: train, validation or test; without it test, else validation, else all there is.",
        HelpName = "NAME",
    };

    private readonly Option<int?> _fold = new("--fold")
    {
        Description =
            "Which fold of the data is the test split, from 1; without it the run's own where this is the run's data.",
        HelpName = "N",
    };

    private readonly ChoiceOption _choices = new();

    /// <summary>Options of a command.</summary>
    /// <param name="isRequired">Whether there is nothing to do without data.</param>
    public LabeledDataOptions(bool isRequired) => _data = new Option<string?>(DataName)
    {
        Description = "Folder or file of labeled pictures or clips; classes are matched by name.",
        HelpName = "PATH",
        Required = isRequired,
    };

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> Options => [_data, _dataSet, _split, _fold, _choices];

    /// <summary>The folder or file that was named; null for none.</summary>
    public string? PathOf(ParseResult parsed) => parsed.GetValue(_data);

    /// <summary>The layout that was named; null for none.</summary>
    public string? DataSetOf(ParseResult parsed) => parsed.GetValue(_dataSet);

    /// <summary>
    /// Opens the data. For the data set that the run was trained on, the choices and the fold of the run hold, so that
    /// no training sample is tested.
    /// </summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="run">The run's folder; null for a model that is none's.</param>
    /// <param name="say">Receives what was chosen and left out.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The data is missing or damaged.</exception>
    public LabeledData Open(ParseResult parsed, string? run, Action<string> say, CancellationToken cancellation)
    {
        string data = PathOf(parsed)!;
        TrainSettings? trained = run is null ? null : SettingsOf(run, say);
        bool own = trained is { Data.Length: > 0 } && Path.GetFullPath(trained.Data) == Path.GetFullPath(data);
        int? fold = parsed.GetValue(_fold) ?? (own ? trained!.Fold : null);
        DataSetSplits splits = DataSetRegistry.Open(data, DataSetOf(parsed) ?? DataSetRegistry.Names[0],
            _choices.Over(parsed, trained?.Choices ?? new DataChoices()).Over(new DataSetOptions
            {
                Seed = trained?.Seed ?? 0,
                TestFraction = 0,
                Folds = fold is null ? 0 : (trained ?? new TrainSettings()).Folds,
                Fold = fold ?? 1,
                SplitVersion = own ? trained!.SplitVersion : DataSetOptions.PresentSplits,
                Cancellation = cancellation,
            }));
        foreach (string note in splits.Notes)
            say(note);
        if (own)
            say($"the data that the run was trained on: choices, seed and fold {fold} are the run's where "
                + "it has no splits of its own");
        return new LabeledData(parsed.GetValue(_split) is { } name ? splits[name]
            : splits.Test ?? splits.Validation ?? splits.Train, splits.Format);
    }

    /// <summary>The settings of a run; null where they cannot be read, as those of another version.</summary>
    /// <param name="run">The run's folder.</param>
    /// <param name="say">Receives a warning then.</param>
    public static TrainSettings? SettingsOf(string run, Action<string> say)
    {
        string config = Path.Combine(run, "config.json");
        try
        {
            return File.Exists(config) ? TrainSettings.OfRun(config) : null;
        }
        catch (SettingsException failure)
        {
            say($"warning: the run's settings are of another version ({failure.Message}): choices and fold "
                + "are the usual ones");
            return null;
        }
    }
}
