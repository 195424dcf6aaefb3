using System.CommandLine;
using Cliper.Kernels;

namespace Cliper.Cli.Commands;

/// <summary>
/// Prints the hash of each kernel's PTX, to compare before and after a change that should leave the PTX as it is.
/// </summary>
internal sealed class KernelsHashCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
    : CliCommand("hash", "Compiles every kernel and prints the SHA-256 of its PTX and its name, ordered by name.",
        terminal, common, cancellation)
{
    protected override int Run(ParseResult parsed)
    {
        foreach ((string hash, string name) in KernelPtx.Hashes(Cancellation))
            Terminal.Out.WriteLine($"{hash}  {name}");
        return ExitCode.Done;
    }
}
