using System.Globalization;
using System.Runtime.CompilerServices;

namespace Cliper.Cli;

internal static class Program
{
    // The runtime holds about 50 files open, a training some more, and a decoder of videos its pipes.
    private const int LeastFiles = 128;

    private static int Main(string[] args)
    {
        // Nothing may be loaded before: without descriptors the loading of an assembly fails, which nobody can catch.
        if (FilesAllowed() is { } files and < LeastFiles)
        {
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"cliper-gpu: only {files} files may be open at once, at least {LeastFiles} are needed: raise the ")
                + "limit with ulimit -n");
            return 1;
        }
        return Start(args);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Start(string[] args)
    {
        Terminal terminal = Terminal.OfConsole();
        using var interruption = new Interruption(terminal.Error);
        return Application.Run(args, terminal, interruption.Token);
    }

    /// <summary>The limit of open files, which the runtime has raised as far as it may; null where none is
    /// known.</summary>
    private static int? FilesAllowed()
    {
        const string Limits = "/proc/self/limits", Name = "Max open files";
        if (!File.Exists(Limits))
            return null;
        foreach (string line in File.ReadAllLines(Limits))
            if (line.StartsWith(Name, StringComparison.Ordinal))
                return int.TryParse(line[Name.Length..].TrimStart().Split(' ')[0], NumberStyles.None,
                    CultureInfo.InvariantCulture, out int files) ? files : null;
        return null;
    }
}
