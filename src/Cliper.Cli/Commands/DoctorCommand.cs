using System.CommandLine;
using System.Text.Json;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Cuda;
using Cliper.Kernels.Memory;
using Cliper.Model;
using Cliper.Model.Diagnostics;
using Cliper.Model.Video;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>
/// Says what this machine has, what is missing and what to do about it, and tests itself for a second.
/// </summary>
internal sealed class DoctorCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
    : CliCommand("doctor", "What this machine has, what is missing, and a self-test of a second.", terminal, common,
    cancellation)
{
    protected override int Run(ParseResult parsed)
    {
        using Device device = Common.OpenDevice(parsed);
        using CpuDevice? beside = device is CpuDevice ? null : new CpuDevice(Common.ThreadsOf(parsed));
        CpuDevice host = beside ?? (CpuDevice)device;
        double gflops = CpuRoofline.MeasureGflops(host), bandwidth = CpuRoofline.MeasureBandwidth(host);
        double? bf16Gflops = CpuRoofline.MeasureBf16Gflops(host);
        IReadOnlyList<SelfTest.Result> checks = CheckGradients(host);
        (string Device, IReadOnlyList<OperationTest.Result> Results)[] tests =
            [.. new[] { device, beside }.OfType<Device>().Select(tested =>
            (tested.Name, new OperationTest(tested).Run()))];
        bool passed = checks.All(check => check.Passed) && tests.All(test => test.Results.All(result => result.Passed));
        string? ffmpeg = Machine.FindFfmpeg();
        var card = device as CudaDevice;
        card?.TryGraph();
        var findings = new Findings(host, device.Activations, card, gflops, bf16Gflops, bandwidth, checks,
            tests, ffmpeg);
        if (Terminal.Json)
            WriteJson(findings, passed);
        else
            WriteTable(findings);
        return passed ? ExitCode.Done : ExitCode.Failed;
    }

    // Finite differences need fp32, whatever the operands of this run are.
    private static IReadOnlyList<SelfTest.Result> CheckGradients(CpuDevice host)
    {
        if (host.Operands == ElementType.Float32)
            return SelfTest.Run(host);
        using var plain = new CpuDevice(host.Threads);
        return SelfTest.Run(plain);
    }

    private static string WhyNoGpu => CudaDevice.WhyNone() is { } reason ? Remedies.Explain(reason)
        : "there is a card, which this run does not use";

    private static string Bf16Verdict(double fp32, double? bf16) => bf16 is { } peak
        ? Format.Invariant($"{peak:F0} GFLOP/s, VDPBF16PS, measured: --precision bf16 can multiply ",
            $"{peak / fp32:F1} times as fast as fp32")
        : Bf16Support.Missing is { } missing ? $"none: {missing}"
        : "none: the system allows no executable memory";

    /// <summary>All that was found on this machine.</summary>
    /// <param name="Host">The CPU.</param>
    /// <param name="Stored">The type that activations are stored in.</param>
    /// <param name="Card">The GPU; null without one.</param>
    /// <param name="Gflops">The CPU's measured FMA peak in GFLOP/s.</param>
    /// <param name="Bf16Gflops">The CPU's measured VDPBF16PS peak in GFLOP/s; null where it cannot be used.</param>
    /// <param name="Bandwidth">The CPU's measured memory bandwidth in GB/s.</param>
    /// <param name="Checks">Results of the self-test.</param>
    /// <param name="Tests">Results of the operations, by device.</param>
    /// <param name="Ffmpeg">Path of ffmpeg; null without one.</param>
    private sealed record Findings(CpuDevice Host, ElementType Stored, CudaDevice? Card, double Gflops,
        double? Bf16Gflops, double Bandwidth, IReadOnlyList<SelfTest.Result> Checks,
        (string Device, IReadOnlyList<OperationTest.Result> Results)[] Tests, string? Ffmpeg);

    private void WriteTable(Findings findings)
    {
        (CpuDevice device, ElementType stored, CudaDevice? card, double gflops, double? bf16Gflops, double bandwidth,
            IReadOnlyList<SelfTest.Result> checks, (string Device, IReadOnlyList<OperationTest.Result> Results)[] tests,
            string? ffmpeg) = findings;
        Table table = new Table().Border(TableBorder.None).HideHeaders().AddColumn("what").AddColumn("found");
        Row("processor", $"{Machine.Processor}, {Environment.ProcessorCount} logical");
        Row("instruction set", device.Level.Describe());
        Row("threads", $"{device.Threads}");
        Row("memory", $"{Format.Bytes(Machine.MemoryBytes)} available to this process");
        Row("system", $"{Machine.System}, {Machine.Runtime}");
        Row("FMA peak", Format.Invariant($"{gflops:F0} GFLOP/s, fp32, measured"));
        Row("bf16 peak", Bf16Verdict(gflops, bf16Gflops));
        Row("memory bandwidth", Format.Invariant($"{bandwidth:F1} GB/s, triad, measured"));
        Row("GPU", card?.Capabilities is { } found
            ? Format.Invariant(
            $"{found.Name}, compute capability {found.Capability / 10.0:F1}, {Format.Bytes(found.FreeBytes)} of ",
            $"{Format.Bytes(found.TotalBytes)} free")
            : $"none: {WhyNoGpu}");
        if (card is not null)
        {
            Row("GPU driver", $"for CUDA {card.Capabilities.DriverText}");
            Row("GPU tensor cores", card.UsesTensorCores ? "used" : "not used: they need compute capability 8.0");
            Row("GPU graphs", card.UsesGraphs ? "used for training steps"
                : "not used: steps are launched kernel by kernel");
        }
        Row("precision", device.Operands == stored ? $"activations are stored in {stored.Describe()}"
            : $"activations are stored in {stored.Describe()}, the CPU multiplies in {device.Operands.Describe()}");
        Row("ffmpeg", ffmpeg ?? $"none: only video files need it ({Ffmpeg.HowToInstall})");
        Row("face detector", File.Exists(ShippedModels.FaceDetector) ? "BlazeFace, which comes with the program"
            : $"none: {ShippedModels.FaceDetector} is missing");
        foreach (SelfTest.Result check in checks)
            Row($"self-test: {check.Name}", Format.Invariant(
                $"{(check.Passed ? "passed" : "FAILED")}, gradient within {check.Error:E1} of finite differences"));
        foreach ((string tested, IReadOnlyList<OperationTest.Result> results) in tests)
        {
            Row("operations on", tested);
            foreach (OperationTest.Result result in results)
                Row($"  {result.Name}", Format.Invariant(
                    $"{result.Implementation}: {(result.Passed ? "passed" : "FAILED")}, off by ",
                    $"{result.Deviation:E1}, bound {result.Bound:E1}"));
        }
        Terminal.Human.Write(table);

        void Row(string what, string found) => table.AddRow(Markup.Escape(what), Markup.Escape(found));
    }

    private void WriteJson(Findings findings, bool passed)
    {
        (CpuDevice device, ElementType stored, CudaDevice? card, double gflops, double? bf16Gflops, double bandwidth,
            IReadOnlyList<SelfTest.Result> checks, (string Device, IReadOnlyList<OperationTest.Result> Results)[] tests,
            string? ffmpeg) = findings;
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
            if (bf16Gflops is { } bf16)
                json.WriteNumber("bf16PeakGflops", Math.Round(bf16, 1));
            else
                json.WriteNull("bf16PeakGflops");
            json.WriteNumber("bandwidthGBs", Math.Round(bandwidth, 1));
            if (card?.Capabilities is { } found)
            {
                json.WriteStartObject("gpu");
                json.WriteString("name", found.Name);
                json.WriteNumber("capability", found.Capability / 10.0);
                json.WriteNumber("driver", found.Driver);
                json.WriteNumber("freeBytes", found.FreeBytes);
                json.WriteNumber("totalBytes", found.TotalBytes);
                json.WriteBoolean("tensorCores", card.UsesTensorCores);
                json.WriteBoolean("graphs", card.UsesGraphs);
                json.WriteEndObject();
            }
            else
            {
                json.WriteNull("gpu");
                json.WriteString("gpuReason", WhyNoGpu);
            }
            json.WriteString("precision", stored.Describe());
            json.WriteString("operands", device.Operands.Describe());
            json.WriteString("ffmpeg", ffmpeg);
            json.WriteString("faceDetector", File.Exists(ShippedModels.FaceDetector) ? ShippedModels.FaceDetector
                : null);
            json.WriteBoolean("passed", passed);
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
            json.WriteStartArray("operations");
            foreach ((string tested, IReadOnlyList<OperationTest.Result> results) in tests)
                foreach (OperationTest.Result result in results)
                {
                    json.WriteStartObject();
                    json.WriteString("device", tested);
                    json.WriteString("name", result.Name);
                    json.WriteString("implementation", result.Implementation);
                    // JSON has no NaN.
                    if (double.IsFinite(result.Deviation))
                        json.WriteNumber("deviation", result.Deviation);
                    else
                        json.WriteNull("deviation");
                    json.WriteNumber("bound", result.Bound);
                    json.WriteBoolean("passed", result.Passed);
                    json.WriteEndObject();
                }
            json.WriteEndArray();
            if (card is not null)
                WriteKernelLogs(json, card.KernelLogs);
            json.WriteEndObject();
        });
    }

    private static void WriteKernelLogs(Utf8JsonWriter json, IReadOnlyList<(string Kernel, string Log)> logs)
    {
        json.WriteStartArray("kernelLogs");
        foreach ((string kernel, string log) in logs)
        {
            json.WriteStartObject();
            json.WriteString("kernel", kernel);
            json.WriteString("log", log);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
