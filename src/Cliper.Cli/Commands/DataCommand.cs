using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Commands on data sets, other than training on them.</summary>
internal sealed class DataCommand : Command
{
    public DataCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("data", "Checks a data set, or decodes its pictures beforehand.")
    {
        Add(new DataVerifyCommand(terminal, common, cancellation));
        Add(new DataCacheCommand(terminal, common, cancellation));
    }
}
