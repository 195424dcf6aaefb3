using System.CommandLine;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;

namespace Cliper.Cli.Commands;

/// <summary>Puts finished runs side by side.</summary>
internal sealed class ReportCommand : CliCommand
{
    private readonly Argument<string[]> _runs = new("RUN")
    {
        Description = "Folders of finished runs, or of a sweep.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string?> _out = new("--out")
    {
        Description = "Folder for the table as table.csv, table.html, table.md and table.tex.",
        HelpName = "DIR",
    };

    public ReportCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("report", "Puts finished runs side by side in one table.", terminal, common, cancellation)
    {
        Add(_runs);
        Add(_out);
    }

    /// <inheritdoc/>
    protected override int Run(ParseResult parsed)
    {
        ResultTable table = RunComparison.Of(parsed.GetValue(_runs)!);
        string? folder = parsed.GetValue(_out);
        if (folder is not null)
        {
            Directory.CreateDirectory(folder);
            table.Write(folder);
        }
        TableOutput.Write(Terminal, table, folder);
        return ExitCode.Done;
    }
}
