using System.CommandLine;
using Cliper.Kernels;
using Cliper.Model;
using Cliper.Model.IO;

namespace Cliper.Cli.Commands;

/// <summary>
/// Compiles the kernels ahead of the first start on a GPU: into the user's cache, or a folder that is shipped.
/// </summary>
internal sealed class KernelsWriteCommand : CliCommand
{
    private readonly Argument<string?> _folder = new("FOLDER")
    {
        Description = "Where to; the user's cache when left out. As ptx/ beside the program it travels with it.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public KernelsWriteCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("write", "Compiles every kernel whose PTX the folder lacks, and writes it there. Takes minutes once.",
            terminal, common, cancellation) => Add(_folder);

    protected override int Run(ParseResult parsed)
    {
        string folder = parsed.GetValue(_folder) ?? KernelPtx.UserFolder
            ?? throw new SettingsException("there is no cache to write to: CLIPER_PTX_CACHE is off, or the user has "
                + "no home; name a folder");
        // The folder is checked before the minutes that compiling takes.
        AtomicFile.Check(Path.Combine(folder, "kernel.ptx"));
        KernelPtx.Written written = KernelPtx.Write(folder, Cancellation);
        Terminal.Out.WriteLine(Format.Invariant(
            $"{written.Folder}: {written.Kernels} kernels, {written.Bytes / 1e6:F1} MB, {written.Compiled} compiled"));
        return ExitCode.Done;
    }
}
