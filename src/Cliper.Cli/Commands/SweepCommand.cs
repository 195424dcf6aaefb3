using System.CommandLine;
using Cliper.Model;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Trains every combination of values of some settings, and puts the results into one table.</summary>
internal sealed class SweepCommand : TableCommand
{
    private readonly Option<string?> _preset = new("--preset")
    {
        Description = "A known sweep: metd (Table III: M is 1, 5, 10, L is 4, 8) or losses (modulating factor and "
            + "margin loss on and off, three seeds).",
        HelpName = "NAME",
    };

    public SweepCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("sweep", "Trains every combination of values of settings, each a run, and puts them into one table.",
            terminal, common, cancellation)
    {
        Settings.Set.Description = "A setting by its path in config.json and its values, such as "
            + "stage2.learningRate=1e-5,1e-4. Can be repeated.";
        Settings.Set.HelpName = "PATH=VALUE,VALUE,…";
        AddOptions([_preset], Settings.All);
    }

    /// <inheritdoc/>
    protected override SweepPlan PlanOf(ParseResult parsed, IReadOnlyList<ulong>? seeds)
    {
        RefuseMethods(parsed.GetValue(Settings.Set) ?? []);
        (TrainSettings settings, IReadOnlyList<(string Path, string Value)> sets) = Settings.Parts(parsed);
        List<SweptSetting> swept = [];
        if (parsed.GetValue(_preset) is { } preset)
        {
            (IReadOnlyList<SweptSetting> known, IReadOnlyList<ulong> usual) = SweepPlan.Preset(preset);
            swept.AddRange(known);
            seeds ??= usual;
        }
        foreach ((string path, string value) in sets)
        {
            string[] values = ValuesOf(value);
            // A setting that is given again replaces the preset's values.
            swept.RemoveAll(setting => setting.Path == path && parsed.GetValue(_preset) is not null);
            if (values.Length == 1)
                settings = SettingsJson.With(settings, [(path, value)]);
            else
                swept.Add(new SweptSetting(path, values));
        }
        if (swept.Count == 0 && seeds is not { Count: > 1 })
            throw new SettingsException("nothing is swept: give --set PATH=VALUE,VALUE, --preset NAME or --seeds N,N");
        return new SweepPlan(settings, swept, seeds ?? []);
    }

    private static void RefuseMethods(string[] sets)
    {
        const string Method = "method=";
        if (sets.FirstOrDefault(set => set.StartsWith(Method, StringComparison.Ordinal) && set.Contains(','))
            is { } methods)
            throw new SettingsException($"--set {methods}: each method has a protocol of its own, which a sweep over "
                + $"one setting leaves out; 'cliper-gpu compare --methods {methods[Method.Length..]}' compares them");
    }

    /// <summary>The values of a setting; a list or object of JSON is one value.</summary>
    private static string[] ValuesOf(string value) => value is ['[' or '{', ..] ? [value] : value.Split(',');
}
