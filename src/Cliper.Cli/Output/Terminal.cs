using System.Text;
using System.Text.Json;
using Spectre.Console;

namespace Cliper.Cli;

/// <summary>
/// The outputs of the program. Results go to standard output, as text or, with --json, as one document; messages and
/// progress go to standard error always.
/// </summary>
/// <param name="output">Standard output.</param>
/// <param name="error">Standard error.</param>
/// <param name="live">Whether standard error is a terminal on which a progress bar may move.</param>
/// <param name="wide">Whether standard output is no terminal, so that tables need not fit one.</param>
/// <param name="input">Standard input; null for the process's own.</param>
/// <param name="documents">Standard output for documents of fixed encoding; null for <paramref name="output"/>.</param>
internal sealed class Terminal(TextWriter output, TextWriter error, bool live = false, bool wide = true,
    Stream? input = null, TextWriter? documents = null)
{
    private const int WideColumns = 240;
    private const string Warning = "warning:";

    /// <summary>Number of this process among those that work together, from 0. Rank 0 alone writes.</summary>
    public int Rank { get; set; }

    /// <summary>Standard output.</summary>
    public TextWriter Out => Rank == 0 ? output : TextWriter.Null;

    /// <summary>Standard output for JSON and CSV, which are UTF-8 in every locale (RFC 8259, section 8.1).</summary>
    public TextWriter Documents => Rank > 0 ? TextWriter.Null : documents ?? output;

    /// <summary>Standard error.</summary>
    public TextWriter Error => Rank == 0 ? error : TextWriter.Null;

    /// <summary>Standard input.</summary>
    public Stream In => input ?? Console.OpenStandardInput();

    /// <summary>Whether a progress bar may move.</summary>
    public bool Live => live && Rank == 0;

    /// <summary>Set by --json: the result is one JSON document.</summary>
    public bool Json { get; set; }

    /// <summary>Set by --verbose: an error comes with its stack.</summary>
    public bool Verbose { get; set; }

    /// <summary>Console for tables on standard output.</summary>
    public IAnsiConsole Human => field ??= Spectre(Out, !wide);

    /// <summary>Console for progress on standard error.</summary>
    public IAnsiConsole Progress => field ??= Spectre(error, live);

    /// <summary>The console of this process.</summary>
    public static Terminal OfConsole()
    {
        StandardStreams.SpeakUtf8();
        bool isErrorOpen = StandardStreams.IsInherited(StandardStreams.Error);
        Console.SetError(isErrorOpen ? new LossyWriter(Console.Error) : TextWriter.Null);
        if (!StandardStreams.IsInherited(StandardStreams.Output))
            Console.SetOut(new StreamWriter(new ClosedOutput()) { AutoFlush = true });
        bool moves = MayMove(!isErrorOpen || Console.IsErrorRedirected, OperatingSystem.IsWindows(),
            Environment.GetEnvironmentVariable);
        return new Terminal(Console.Out, Console.Error, moves, Console.IsOutputRedirected,
            documents: StandardStreams.Documents());
    }

    /// <summary>
    /// Whether a bar may move on standard error: not where it would end up in a file, a log or a dumb terminal. Windows
    /// sets no TERM for its consoles.
    /// </summary>
    /// <param name="redirected">Whether standard error is no terminal.</param>
    /// <param name="isWindows">Whether the system is Windows.</param>
    /// <param name="variable">Gives an environment variable; null for one that is not set.</param>
    internal static bool MayMove(bool redirected, bool isWindows, Func<string, string?> variable)
    {
        string? terminal = variable("TERM");
        return !redirected && string.IsNullOrEmpty(variable("NO_COLOR")) && string.IsNullOrEmpty(variable("CI"))
            && terminal != "dumb" && (terminal is not null || isWindows);
    }

    /// <summary>A line for the person, on standard error; on a terminal the word before a warning is yellow.</summary>
    public void Say(string line)
    {
        if (Rank > 0)
            return;
        string printable = string.Join('\n', line.Split('\n').Select(Format.Printable));
        if (live && printable.StartsWith(Warning, StringComparison.Ordinal))
        {
            Progress.Write(new Text(Warning, new Style(Color.Yellow)));
            printable = printable[Warning.Length..];
        }
        error.WriteLine(printable);
    }

    /// <summary>An error of this rank, on standard error: with its number, where it is not rank 0.</summary>
    public void SayOfRank(string line)
    {
        int rank = Rank;
        Rank = 0;
        Say(rank == 0 ? line : $"rank {rank}: {line}");
        Rank = rank;
    }

    /// <summary>The result as a JSON document on standard output.</summary>
    public void WriteJson(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions
        {
            Indented = true,
            NewLine = "\n",
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        }))
            write(writer);
        Documents.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length));
    }

    private static IAnsiConsole Spectre(TextWriter writer, bool interactive)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = interactive ? AnsiSupport.Detect : AnsiSupport.No,
            ColorSystem = interactive ? ColorSystemSupport.Detect : ColorSystemSupport.NoColors,
            Interactive = interactive ? InteractionSupport.Detect : InteractionSupport.No,
        });
        if (!interactive)
            console.Profile.Width = WideColumns;
        return console;
    }
}
