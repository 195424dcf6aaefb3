using System.CommandLine;
using System.Text.Json;
using Cliper.Model;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Says what this machine has, what is missing and what to do about it, and tests itself for a second.</summary>
internal sealed class DoctorCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
    : CliCommand("doctor", "What this machine has, what is missing, and a self-test of a second.", terminal, common, cancellation)
{
    protected override int Run(ParseResult parsed)
    {
        throw new NotImplementedException();
    }
}
