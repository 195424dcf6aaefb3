using System.Globalization;
using Cliper.Model.Settings;

namespace Cliper.Model.Runs;

/// <summary>A setting and the values that a sweep gives it.</summary>
/// <param name="Path">Its path in config.json.</param>
/// <param name="Values">The values as text.</param>
public sealed record SweptSetting(string Path, IReadOnlyList<string> Values);

/// <summary>One run of a sweep.</summary>
/// <param name="Name">Name of its folder.</param>
/// <param name="Values">Values of the swept settings.</param>
/// <param name="Settings">Its settings.</param>
public sealed record SweepCell(string Name, IReadOnlyList<string> Values, TrainSettings Settings);

/// <summary>Every combination of values of some settings, each with every seed.</summary>
public sealed record SweepPlan
{
    private static readonly Dictionary<string, (SweptSetting[] Settings, ulong[] Seeds)> Presets = new()
    {
        // Table III: sizes of METD.
        ["metd"] = ([new("subclasses", ["1", "5", "10"]), new("tokens", ["4", "8"])], []),
        // The paper says what the modulating factor and the margin loss do, and does not measure it.
        ["losses"] = ([new("loss.modulation", ["true", "false"]), new("loss.margin", ["true", "false"])], [1, 2, 3]),
    };

    // Short names of the folders, as the paper calls them.
    private static readonly Dictionary<string, string> Symbols = new() { ["subclasses"] = "M", ["tokens"] = "L" };

    /// <summary>A plan.</summary>
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
        (Base, Swept) = (settings, swept);
        List<SweepCell> cells = [];
        foreach (IReadOnlyList<string> values in Product([.. swept.Select(setting => setting.Values)]))
            foreach (ulong seed in seeds.Count > 0 ? seeds : [settings.Seed])
            {
                TrainSettings cell = SettingsJson.With(settings, swept.Zip(values, (setting, value) =>
                    (setting.Path, value))) with
                { Seed = seed };
                cell.Check();
                cells.Add(new SweepCell(NameOf(swept, values, seeds.Count > 0 ? seed : null), values, cell));
            }
        if (cells.GroupBy(cell => cell.Name).FirstOrDefault(group => group.Count() > 1) is { } same)
            throw new SettingsException($"two runs of the sweep would share the folder {same.Key}: a value is given "
                + "twice, or differs in signs alone that a folder's name cannot have");
        Cells = cells;
    }

    /// <summary>Names of the plans that are known.</summary>
    public static IReadOnlyCollection<string> PresetNames => Presets.Keys;

    /// <summary>Settings that hold where nothing is swept.</summary>
    public TrainSettings Base { get; }

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

    private static string NameOf(IReadOnlyList<SweptSetting> swept, IReadOnlyList<string> values, ulong? seed)
    {
        IEnumerable<string> parts = swept.Zip(values, (setting, value) =>
            Symbols.TryGetValue(setting.Path, out string? symbol) ? symbol + value : $"{setting.Path}={value}");
        if (seed is { } number)
            parts = parts.Append("seed" + number.ToString(CultureInfo.InvariantCulture));
        string name = string.Join('-', parts);
        return name.Length == 0 ? "run"
            : string.Concat(name.Select(sign =>
                char.IsAsciiLetterOrDigit(sign) || "=.+-_".Contains(sign) ? sign : '_'));
    }
}
