using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>
/// Commands about the PTX of the GPU kernels. The help does not list them: they serve packaging and development.
/// </summary>
internal sealed class KernelsCommand : Command
{
    public KernelsCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("kernels", "Compiles the GPU kernels to PTX, without a GPU.")
    {
        Hidden = true;
        Add(new KernelsHashCommand(terminal, common, cancellation));
        Add(new KernelsWriteCommand(terminal, common, cancellation));
    }
}
