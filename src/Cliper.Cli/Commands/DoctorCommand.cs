using System.CommandLine;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Simd;
using Cliper.Model.Analysis;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Says what this machine has, what is missing and what to do about it, and tests itself for a second.</summary>
internal sealed class DoctorCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
    : CliCommand("doctor", "What this machine has, what is missing, and a self-test of a second.", terminal, common, cancellation)
{
    protected override int Run(ParseResult parsed)
    {
        using HostDevice device = Common.OpenDevice(parsed);
        double gflops = HostPeak.MeasureGflops(device), bandwidth = HostPeak.MeasureBandwidth(device);
        IReadOnlyList<SelfTest.Result> checks = SelfTest.Run(device);
        string? ffmpeg = Machine.FindFfmpeg();
        if (Terminal.Json)
            WriteJson(device, gflops, bandwidth, checks, ffmpeg);
        else
            WriteTable(device, gflops, bandwidth, checks, ffmpeg);
        return checks.All(check => check.Passed) ? ExitCode.Done : ExitCode.Failed;
    }

    private void WriteTable(HostDevice device, double gflops, double bandwidth, IReadOnlyList<SelfTest.Result> checks, string? ffmpeg)
    {
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("found");
        Row("processor", $"{Machine.Processor}, {Environment.ProcessorCount} logical");
        Row("instruction set", device.Level.Describe());
        Row("threads", $"{device.Threads}");
        Row("memory", $"{Format.Bytes(Machine.MemoryBytes)} available to this process");
        Row("system", $"{Machine.System}, {Machine.Runtime}");
        Row("FMA peak", Format.Invariant($"{gflops:F0} GFLOP/s, fp32, measured"));
        Row("memory bandwidth", Format.Invariant($"{bandwidth:F1} GB/s, triad, measured"));
        Row("GPU", $"none: {CommonOptions.NoCuda}");
        Row("ffmpeg", ffmpeg ?? "none: only video files need it (apt-get install ffmpeg)");
        foreach (SelfTest.Result check in checks)
            Row($"self-test: {check.Name}", Format.Invariant(
                $"{(check.Passed ? "passed" : "FAILED")}, gradient within {check.Error:E1} of finite differences"));
        Terminal.Human.Write(table);

        void Row(string what, string found) => table.AddRow(Markup.Escape(what), Markup.Escape(found));
    }

    private void WriteJson(HostDevice device, double gflops, double bandwidth, IReadOnlyList<SelfTest.Result> checks, string? ffmpeg) =>
        Terminal.WriteJson(json =>
        {
            json.WriteStartObject();
            json.WriteString("processor", Machine.Processor);
            json.WriteNumber("logicalProcessors", Environment.ProcessorCount);
            json.WriteString("instructionSet", device.Level.Describe());
            json.WriteNumber("threads", device.Threads);
            json.WriteNumber("memoryBytes", Machine.MemoryBytes);
            json.WriteString("system", Machine.System);
            json.WriteString("runtime", Machine.Runtime);
            json.WriteNumber("peakGflops", Math.Round(gflops, 1));
            json.WriteNumber("bandwidthGBs", Math.Round(bandwidth, 1));
            json.WriteNull("gpu");
            json.WriteString("gpuReason", CommonOptions.NoCuda);
            json.WriteString("ffmpeg", ffmpeg);
            json.WriteBoolean("passed", checks.All(check => check.Passed));
            json.WriteStartArray("selfTest");
            foreach (SelfTest.Result check in checks)
            {
                json.WriteStartObject();
                json.WriteString("name", check.Name);
                json.WriteNumber("error", check.Error);
                json.WriteBoolean("passed", check.Passed);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
}
