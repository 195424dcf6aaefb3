using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Commands that write models in the forms of other programs.</summary>
internal sealed class ExportCommand : Command
{
    public ExportCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("export", "Writes a model in the form of another program.") =>
        Add(new ExportOnnxCommand(terminal, common, cancellation));
}
