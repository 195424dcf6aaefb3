using System.Globalization;
using Cliper.Model.Settings;

namespace Cliper.Model.Runs;

/// <summary>A setting and the values that a sweep gives it.</summary>
/// <param name="Path">Its path in config.json.</param>
/// <param name="Values">The values as text.</param>
public sealed record SweptSetting(string Path, IReadOnlyList<string> Values);

/// <summary>One run of a plan.</summary>
/// <param name="Name">Name of its folder.</param>
/// <param name="Values">Its first cells in the table, one a column of <see cref="SweepPlan.Keys"/>.</param>
/// <param name="Settings">Its settings.</param>
public sealed record SweepCell(string Name, IReadOnlyList<string> Values, TrainSettings Settings);

/// <summary>Runs that make a table: every combination of values of some settings, or every method, each with every
/// seed.</summary>
public sealed record SweepPlan
{
    private const string Subclasses = "subclasses", Tokens = "tokens";

    private static readonly Dictionary<string, (SweptSetting[] Settings, ulong[] Seeds)> Presets = new()
    {
        // Table III: sizes of METD.
        ["metd"] = ([new(Subclasses, ["1", "5", "10"]), new(Tokens, ["4", "8"])], []),
        // The paper says what the modulating factor and the margin loss do, and does not measure it.
        ["losses"] = ([new("loss.modulation", ["true", "false"]), new("loss.margin", ["true", "false"])], [1, 2, 3]),
    };

    // Short names of the folders, as the paper calls them.
    private static readonly Dictionary<string, string> Symbols = new() { [Subclasses] = "M", [Tokens] = "L" };

    /// <summary>A plan over values of settings.</summary>
    /// <param name="settings">Settings that hold where nothing is swept.</param>
    /// <param name="swept">The swept settings, the first changing fastest.</param>
    /// <param name="seeds">The seeds; empty for that of the settings.</param>
    /// <exception cref="SettingsException">A setting is unknown, a value is not one, or one comes twice.</exception>
    public SweepPlan(TrainSettings settings, IReadOnlyList<SweptSetting> swept, IReadOnlyList<ulong> seeds)
    {
        if (swept.GroupBy(setting => setting.Path).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new SettingsException($"{twice.Key} is swept twice");
        if (seeds.Distinct().Count() != seeds.Count)
            throw new SettingsException("a seed is given twice");
        string[] paths = [.. swept.Select(setting => setting.Path)];
        (Keys, Swept, Extras) = (paths.Length == 0 ? ["recipe"] : paths, swept, RunRows.Extras);
        Title = $"{DataOf(settings)} by {(paths.Length == 0 ? "seed" : string.Join(" and ", paths))}";
        List<SweepCell> cells = [];
        foreach (IReadOnlyList<string> values in Product([.. swept.Select(setting => setting.Values)]))
        {
            TrainSettings cell = SettingsJson.With(settings, swept.Zip(values, (setting, value) =>
                (setting.Path, value)));
            cells.AddRange(WithSeeds(cell, values.Count == 0 ? [settings.Recipe] : values,
                swept.Zip(values, (setting, value) => Symbols.TryGetValue(setting.Path, out string? symbol)
                    ? symbol + value : $"{setting.Path}={value}"), seeds));
        }
        Cells = Checked(cells);
        if (paths.Contains(Subclasses) && paths.Contains(Tokens))
            References = [RunRows.PaperSizes()];
    }

    private SweepPlan(string title, IReadOnlyList<string> keys, IReadOnlyList<SweepCell> cells) =>
        (Title, Keys, Cells, Swept, Extras) = (title, keys, Checked(cells), [], []);

    /// <summary>A plan of methods side by side: the paper's Tables I and II.</summary>
    /// <param name="settingsOf">The settings of a method.</param>
    /// <param name="methods">The methods, in the order of the table.</param>
    /// <param name="shots">Training samples of each class, 0 for all; empty for those of the settings.</param>
    /// <param name="seeds">The seeds; empty for that of the settings.</param>
    /// <exception cref="SettingsException">Settings do not fit a method, or something is given twice.</exception>
    public static SweepPlan OfMethods(Func<TrainingMethod, TrainSettings> settingsOf,
        IReadOnlyList<TrainingMethod> methods, IReadOnlyList<int> shots, IReadOnlyList<ulong> seeds)
    {
        List<SweepCell> cells = [];
        foreach (TrainingMethod method in methods)
        {
            TrainSettings settings = settingsOf(method);
            foreach (int few in shots.Count > 0 ? shots : [settings.Shots])
                cells.AddRange(WithSeeds(settings with { Shots = few },
                    [method.Name(), few.ToString(CultureInfo.InvariantCulture)],
                    shots.Count > 0 ? [method.Name(), $"shots{few}"] : [method.Name()], seeds));
        }
        TrainSettings first = cells[0].Settings;
        return new SweepPlan($"{DataOf(first)} by method", ["method", "shots"], cells)
        {
            Notes =
            [
                .. first.Weights.Length > 0 ? [$"The weights are {Path.GetFileName(first.Weights)}."]
                    : Array.Empty<string>(),
                "0 shots are the whole training split.",
                .. cells.DistinctBy(cell => cell.Values[0]).Select(cell => MethodSummary.Of(cell.Settings)),
            ],
        };
    }

    /// <summary>Names of the plans that are known.</summary>
    public static IReadOnlyCollection<string> PresetNames => Presets.Keys;

    /// <summary>Headline of the table.</summary>
    public string Title { get; }

    /// <summary>Names of the table's first columns.</summary>
    public IReadOnlyList<string> Keys { get; }

    /// <summary>Names of the table's further columns: those of a sweep are <see cref="RunRows.Extras"/>.</summary>
    internal IReadOnlyList<string> Extras { get; }

    /// <summary>Sentences under the table.</summary>
    internal IReadOnlyList<string> Notes { get; private init; } = [];

    /// <summary>Tables of the paper to stand beside.</summary>
    internal IReadOnlyList<Reporting.ReferenceTable> References { get; } = [];

    /// <summary>The swept settings.</summary>
    public IReadOnlyList<SweptSetting> Swept { get; }

    /// <summary>The runs, in order.</summary>
    public IReadOnlyList<SweepCell> Cells { get; }

    /// <summary>The settings that a known plan sweeps, and its seeds.</summary>
    /// <param name="name">One of <see cref="PresetNames"/>.</param>
    /// <exception cref="SettingsException">There is none of that name.</exception>
    public static (IReadOnlyList<SweptSetting> Settings, IReadOnlyList<ulong> Seeds) Preset(string name) =>
        Presets.TryGetValue(name, out (SweptSetting[] Settings, ulong[] Seeds) preset) ? preset
            : throw new SettingsException($"no preset '{name}'; there are {string.Join(" and ", Presets.Keys)}"
                + Suggestion.Hint(name, Presets.Keys));

    private static IEnumerable<IReadOnlyList<string>> Product(IReadOnlyList<IReadOnlyList<string>> values) =>
        values.Aggregate<IReadOnlyList<string>, IEnumerable<IReadOnlyList<string>>>([[]], (all, next) =>
            next.SelectMany(value => all.Select(start => (IReadOnlyList<string>)[.. start, value])));

    private static string DataOf(TrainSettings settings) =>
        settings.Recipe == TrainSettings.CustomRecipe ? settings.DataSet : settings.Recipe;

    private static IEnumerable<SweepCell> WithSeeds(TrainSettings settings, IReadOnlyList<string> values,
        IEnumerable<string> parts, IReadOnlyList<ulong> seeds) => seeds.Count == 0
        ? [new SweepCell(NameOf(parts), values, settings)]
        : seeds.Select(seed => new SweepCell(NameOf(parts.Append(FormattableString.Invariant($"seed{seed}"))), values,
            settings with { Seed = seed }));

    private static List<SweepCell> Checked(IReadOnlyList<SweepCell> cells)
    {
        foreach (SweepCell cell in cells)
            cell.Settings.Check();
        return cells.GroupBy(cell => cell.Name).FirstOrDefault(group => group.Count() > 1) is not { } same ? [.. cells]
            : throw new SettingsException($"two runs would share the folder {same.Key}: a value is given twice, or "
                + "differs in signs alone that a folder's name cannot have");
    }

    private static string NameOf(IEnumerable<string> parts)
    {
        string name = string.Join('-', parts);
        return name.Length == 0 ? "run"
            : string.Concat(name.Select(sign =>
                char.IsAsciiLetterOrDigit(sign) || "=.+-_".Contains(sign) ? sign : '_'));
    }
}
