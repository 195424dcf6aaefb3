using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>A command: its options as fields, and what it does with them.</summary>
internal abstract class CliCommand : Command
{
    protected CliCommand(string name, string description, Terminal terminal, CommonOptions common,
        CancellationToken cancellation)
        : base(name, description)
    {
        Terminal = terminal;
        Common = common;
        Cancellation = cancellation;
        SetAction(Run);
    }

    /// <summary>Where output goes.</summary>
    protected Terminal Terminal { get; }

    /// <summary>The options every command has.</summary>
    protected CommonOptions Common { get; }

    /// <summary>Asks to end in good order.</summary>
    protected CancellationToken Cancellation { get; }

    /// <summary>Runs the command.</summary>
    /// <returns>The exit code.</returns>
    protected abstract int Run(ParseResult parsed);
}
