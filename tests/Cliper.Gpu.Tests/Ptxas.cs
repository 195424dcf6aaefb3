using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Cliper.Gpu.Tests;

/// <summary>NVIDIA's assembler, where CLIPER_PTXAS or the PATH has it.</summary>
internal static partial class Ptxas
{
    /// <summary>The assembler's report on a kernel.</summary>
    public readonly record struct Result(int Registers, int Stack, int Spills, string Text);

    private static string? Path => Environment.GetEnvironmentVariable("CLIPER_PTXAS") is { Length: > 0 } named
        ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(folder => System.IO.Path.Combine(folder, "ptxas")).FirstOrDefault(File.Exists);

    private static string Disassembler => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path!)!, "nvdisasm");

    /// <summary>Leaves the test out where there is no assembler; in CI that is a failure.</summary>
    public static void Require()
    {
        if (Path is null)
            LeaveOut("no ptxas: eng/get-ptxas.sh fetches it, CLIPER_PTXAS names it");
    }

    /// <summary>The same as <see cref="Require"/>, for sm_90a, which the ptxas of CUDA 11 does not know.</summary>
    public static void RequireHopper()
    {
        string version = Run(Path!, "--version").Text;
        if (int.Parse(ReleasePattern().Match(version).Groups[1].Value) < 12)
            LeaveOut("this ptxas does not know sm_90a, one of CUDA 12 does (eng/get-ptxas.sh DIR trixie): "
                + $"{version.Trim()}");
    }

    /// <summary>The same as <see cref="Require"/>, for nvdisasm beside it.</summary>
    public static void RequireDisassembler()
    {
        Require();
        if (!File.Exists(Disassembler))
            LeaveOut($"no {Disassembler}: eng/get-ptxas.sh fetches it with ptxas");
    }

    private static void LeaveOut(string reason)
    {
        if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
            Assert.Fail(reason);
        Assert.Ignore(reason);
    }

    /// <summary>Assembles PTX for an architecture such as "sm_80".</summary>
    public static Result Assemble(string ptx, string architecture)
    {
        Result result = default;
        Assemble(ptx, architecture, "/dev/null", text =>
            result = new Result(Number(RegistersPattern(), text), Number(StackPattern(), text),
                Number(StorePattern(), text) + Number(LoadPattern(), text), text));
        return result;

        static int Number(Regex pattern, string text) => int.Parse(pattern.Match(text).Groups[1].Value);
    }

    /// <summary>The machine code of PTX, a line an instruction or label, by nvdisasm beside the assembler.</summary>
    public static string[] Disassemble(string ptx, string architecture)
    {
        string code = System.IO.Path.GetTempFileName();
        try
        {
            Assemble(ptx, architecture, code, _ => { });
            (int exit, string text) = Run(Disassembler, "-c", code);
            Assert.That(exit, Is.Zero, text);
            return text.Split('\n');
        }
        finally
        {
            File.Delete(code);
        }
    }

    private static void Assemble(string ptx, string architecture, string target, Action<string> said)
    {
        string file = System.IO.Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, ptx);
            (int exit, string text) = Run(Path!, "-v", "-O3", $"--gpu-name={architecture}", "-o", target, file);
            Assert.That(exit, Is.Zero, text);
            said(text);
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static (int Code, string Text) Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments)
        { RedirectStandardError = true, RedirectStandardOutput = true })!;
        Task<string> error = process.StandardError.ReadToEndAsync();
        string text = process.StandardOutput.ReadToEnd() + error.Result;
        process.WaitForExit();
        return (process.ExitCode, text);
    }

    [GeneratedRegex(@"release (\d+)\.")]
    private static partial Regex ReleasePattern();

    [GeneratedRegex(@"Used (\d+) registers")]
    private static partial Regex RegistersPattern();

    [GeneratedRegex(@"(\d+) bytes stack frame")]
    private static partial Regex StackPattern();

    [GeneratedRegex(@"(\d+) bytes spill stores")]
    private static partial Regex StorePattern();

    [GeneratedRegex(@"(\d+) bytes spill loads")]
    private static partial Regex LoadPattern();
}
