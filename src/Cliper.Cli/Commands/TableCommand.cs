using System.CommandLine;
using System.Globalization;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;

namespace Cliper.Cli.Commands;

/// <summary>A command that makes several runs and puts their results into one table.</summary>
internal abstract class TableCommand : CliCommand
{
    private readonly Option<string> _out = new("--out")
    {
        Description = "Folder of the table and of the runs, each in a folder of its own; given again, it goes on.",
        HelpName = "DIR",
        Required = true,
    };

    private readonly Option<string?> _seeds = new("--seeds")
    {
        Description = "Makes every run with each of these seeds.",
        HelpName = "N,N,…",
    };

    protected TableCommand(string name, string description, Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
        : base(name, description, terminal, common, cancellation)
    {
    }

    /// <summary>The options of the runs, those that train has.</summary>
    protected SettingsOptions Settings { get; } = new(stages: true);

    /// <summary>The runs that a command line asks for.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="seeds">The seeds that it gives; null for none.</param>
    /// <exception cref="SettingsException">Something is unknown, of the wrong kind or out of range.</exception>
    protected abstract SweepPlan PlanOf(ParseResult parsed, IReadOnlyList<ulong>? seeds);

    /// <summary>Adds the options.</summary>
    /// <param name="own">Options of the command alone.</param>
    /// <param name="settings">Options of the settings.</param>
    protected void AddOptions(IEnumerable<Option> own, IEnumerable<Option> settings)
    {
        foreach (Option option in (Option[])[.. own, _seeds, _out, .. settings])
            Add(option);
    }

    /// <inheritdoc/>
    protected sealed override int Run(ParseResult parsed)
    {
        string folder = parsed.GetValue(_out)!;
        SweepPlan plan = PlanOf(parsed, parsed.GetValue(_seeds) is { } given ? Numbers<ulong>("--seeds", given) : null);
        using Device device = Common.OpenDevice(parsed);
        ResultTable table;
        try
        {
            table = TrainingProgress.Show(Terminal, progress =>
                Sweep.Run(device, plan, folder, progress, Cancellation));
        }
        catch (OperationCanceledException)
        {
            Terminal.Say($"the same command goes on with the {Name}");
            throw;
        }
        TableOutput.Write(Terminal, table, folder);
        int failed = table.Rows.Count(row => row.Failure.Length > 0);
        if (failed == 0)
            return ExitCode.Done;
        Terminal.Say($"cliper-gpu: {failed} of {table.Rows.Count} runs have failed; the table tells why");
        return ExitCode.Failed;
    }

    /// <summary>The whole numbers of an option's value.</summary>
    /// <param name="option">Name of the option.</param>
    /// <param name="given">Its value.</param>
    /// <exception cref="SettingsException">It is no list of whole numbers.</exception>
    protected static IReadOnlyList<T> Numbers<T>(string option, string given)
        where T : System.Numerics.INumberBase<T> => [.. given.Split(',').Select(text =>
            T.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out T? number) ? number
            : throw new SettingsException($"{option} is '{given}'; expected whole numbers such as 1,2,3"))];
}
