using System.Diagnostics;
using System.Text.Json;

namespace Cliper.Cli.Tests;

/// <summary>The traces that a run of the program left: its exit code and what it wrote.</summary>
internal sealed record ProgramRun(int ExitCode, string Out, string Error)
{
    private const int Patience = 300_000;

    /// <summary>Standard output as the one JSON document that it has to be.</summary>
    public JsonElement Json
    {
        get
        {
            using JsonDocument document = JsonDocument.Parse(Out);
            return document.RootElement.Clone();
        }
    }

    /// <summary>Runs the program inside this process.</summary>
    public static ProgramRun InProcess(params string[] args)
    {
        using StringWriter output = new(), error = new();
        int exitCode = Application.Run(args, new Terminal(output, error, input: Stream.Null), CancellationToken.None);
        return new ProgramRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the program inside this process, given this on standard input.</summary>
    public static ProgramRun WithInput(byte[] input, params string[] args)
    {
        using StringWriter output = new(), error = new();
        using var stream = new MemoryStream(input);
        int exitCode = Application.Run(args, new Terminal(output, error, input: stream), CancellationToken.None);
        return new ProgramRun(exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Runs the program as a process of its own, its output read through pipes.</summary>
    public static ProgramRun AsProcess(params string[] args)
    {
        using Process process = Start(args);
        Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
        return End(process, output, error);
    }

    /// <summary>
    /// Runs the program as a process and sends it <paramref name="signal"/> as soon as a line of its standard error
    /// holds <paramref name="sign"/>.
    /// </summary>
    public static ProgramRun Interrupted(string signal, string sign, params string[] args)
    {
        using Process process = Start(args);
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        var before = new System.Text.StringBuilder();
        while (process.StandardError.ReadLine() is { } line)
        {
            before.AppendLine(line);
            if (!line.Contains(sign, StringComparison.Ordinal))
                continue;
            using var kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
            kill.WaitForExit();
            break;
        }
        ProgramRun run = End(process, output, process.StandardError.ReadToEndAsync());
        return run with { Error = before + run.Error };
    }

    /// <summary>Runs a shell line in which "$PROGRAM" stands for the program.</summary>
    public static ProgramRun Shell(string line)
    {
        using Process process = Start("bash", ["-c", line]);
        return End(process, process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    }

    /// <summary>Runs another program in a folder.</summary>
    public static ProgramRun Of(string file, string folder, params string[] args)
    {
        using Process process = Process.Start(new ProcessStartInfo(file, args)
        {
            WorkingDirectory = folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { ["NO_COLOR"] = "1" },
        })!;
        return End(process, process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
    }

    private static string Assembly => Path.Combine(AppContext.BaseDirectory, "cliper-gpu.dll");

    private static Process Start(string[] args) => Start("dotnet", [Assembly, .. args]);

    private static Process Start(string file, string[] args) => Process.Start(new ProcessStartInfo(file, args)
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        Environment = { ["PROGRAM"] = $"dotnet {Assembly}", ["NO_COLOR"] = "1" },
    })!;

    private static ProgramRun End(Process process, Task<string> output, Task<string> error)
    {
        if (!process.WaitForExit(Patience))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"the program still ran after {Patience / 1000} s; it wrote {error.Result}");
        }
        return new ProgramRun(process.ExitCode, output.Result, error.Result);
    }
}
