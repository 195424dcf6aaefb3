using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Cliper.Gpu.Tests;

/// <summary>NVIDIA's assembler, where CLIPER_PTXAS or the PATH has it.</summary>
internal static partial class Ptxas
{
    /// <summary>What the assembler says of a kernel.</summary>
    public readonly record struct Result(int Registers, int Stack, int Spills, string Text);

    private static string? Path => Environment.GetEnvironmentVariable("CLIPER_PTXAS") is { Length: > 0 } named
        ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(folder => System.IO.Path.Combine(folder, "ptxas")).FirstOrDefault(File.Exists);

    /// <summary>Leaves the test out where there is no assembler; in CI that is a failure.</summary>
    public static void Require()
    {
        if (Path is not null)
            return;
        const string Reason = "no ptxas: eng/get-ptxas.sh fetches it, CLIPER_PTXAS names it";
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            Assert.Fail(Reason);
        Assert.Ignore(Reason);
    }

    /// <summary>Assembles PTX for an architecture such as "sm_80".</summary>
    public static Result Assemble(string ptx, string architecture)
    {
        string file = System.IO.Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, ptx);
            using Process process = Process.Start(new ProcessStartInfo(Path!,
                ["-v", "-O3", $"--gpu-name={architecture}", "-o", "/dev/null", file])
            { RedirectStandardError = true, RedirectStandardOutput = true })!;
            Task<string> error = process.StandardError.ReadToEndAsync();
            string text = process.StandardOutput.ReadToEnd() + error.Result;
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Zero, text);
            return new Result(Number(RegistersPattern()), Number(StackPattern()), Number(StorePattern()) + Number(LoadPattern()), text);

            int Number(Regex pattern) => int.Parse(pattern.Match(text).Groups[1].Value);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex RegistersPattern();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex StackPattern();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex StorePattern();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex LoadPattern();
}
