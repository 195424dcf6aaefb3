using System.CommandLine;
using System.Globalization;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Trains every combination of values of some settings, and puts the results into one table.</summary>
internal sealed class SweepCommand : CliCommand
{
    private readonly SettingsOptions _settings = new(stages: true);

    private readonly Option<string> _out = new("--out")
    {
        Description = "Folder of the table and of the runs, each in a folder of its own; given again, it goes on.",
        HelpName = "DIR",
        Required = true,
    };

    private readonly Option<string?> _preset = new("--preset")
    {
        Description = "A known sweep: metd (Table III: M is 1, 5, 10, L is 4, 8) or losses (modulating factor and "
            + "margin loss on and off, three seeds).",
        HelpName = "NAME",
    };

    private readonly Option<string?> _seeds = new("--seeds")
    {
        Description = "Trains every combination with each of these seeds.",
        HelpName = "N,N,…",
    };

    public SweepCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("sweep", "Trains every combination of values of settings, each a run, and puts them into one table.",
            terminal, common, cancellation)
    {
        _settings.Set.Description = "A setting by its path in config.json and its values, such as "
            + "stage2.learningRate=1e-5,1e-4. Can be repeated.";
        _settings.Set.HelpName = "PATH=VALUE,VALUE,…";
        foreach (Option option in (Option[])[_preset, _seeds, _out, .. _settings.All])
            Add(option);
    }

    /// <inheritdoc/>
    protected override int Run(ParseResult parsed)
    {
        string folder = parsed.GetValue(_out)!;
        SweepPlan plan = PlanOf(parsed);
        using Device device = Common.OpenDevice(parsed);
        ResultTable table;
        try
        {
            table = TrainingProgress.Show(Terminal, progress =>
                Sweep.Run(device, plan, folder, progress, Cancellation));
        }
        catch (OperationCanceledException)
        {
            Terminal.Say("the same command goes on with the sweep");
            throw;
        }
        TableOutput.Write(Terminal, table, folder);
        return ExitCode.Done;
    }

    private SweepPlan PlanOf(ParseResult parsed)
    {
        (TrainSettings settings, IReadOnlyList<(string Path, string Value)> sets) = _settings.Parts(parsed);
        List<SweptSetting> swept = [];
        IReadOnlyList<ulong> seeds = [];
        if (parsed.GetValue(_preset) is { } preset)
        {
            (IReadOnlyList<SweptSetting> known, seeds) = SweepPlan.Preset(preset);
            swept.AddRange(known);
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
        if (parsed.GetValue(_seeds) is { } given)
            seeds = SeedsOf(given);
        if (swept.Count == 0 && seeds.Count < 2)
            throw new SettingsException("nothing is swept: give --set PATH=VALUE,VALUE, --preset NAME or --seeds N,N");
        return new SweepPlan(settings, swept, seeds);
    }

    /// <summary>The values of a setting; a list or object of JSON is one value.</summary>
    private static string[] ValuesOf(string value) => value is ['[' or '{', ..] ? [value] : value.Split(',');

    private static IReadOnlyList<ulong> SeedsOf(string given) => [.. given.Split(',').Select(text =>
        ulong.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed) ? seed
            : throw new SettingsException($"--seeds is '{given}'; expected whole numbers such as 1,2,3"))];
}
