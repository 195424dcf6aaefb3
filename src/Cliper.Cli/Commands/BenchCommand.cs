using System.CommandLine;
using System.Text.Json;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Diagnostics;
using Spectre.Console;

namespace Cliper.Cli.Commands;

/// <summary>Times the operations and the models on this machine.</summary>
internal sealed class BenchCommand : CliCommand
{
    // The emulated device takes milliseconds for these.
    private const int EmulatedTurns = 64, EmulatedCopy = 16 << 20;

    private readonly Option<string?> _only = new("--only")
    {
        Description = "Measures only what has this text in its name, such as matmul, backward or B/16.",
        HelpName = "TEXT",
    };

    private readonly Option<string?> _rows = new("--rows")
    {
        Description =
            "Adds each row to this file as it is measured, a JSON object a line; rows it holds are not measured.",
        HelpName = "FILE",
    };

    public BenchCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("bench",
            "Every operation at the shapes of CLIP's ViTs, and whole forwards and training steps, against what this "
            + "machine can do.",
            terminal, common, cancellation)
    {
        Add(_only);
        Add(_rows);
    }

    protected override int Run(ParseResult parsed)
    {
        using Device device = Common.OpenDevice(parsed);
        using RowsFile? file = parsed.GetValue(_rows) is { } path
            ? new RowsFile(path, device.Name, device.Activations.Describe())
            : null;
        Terminal.Say($"measuring {device.Name}");
        (double gflops, double bandwidth) = file?.Peaks ?? Peaks(device);
        file?.Begin(json => WriteFacts(json, device, gflops, bandwidth));
        string only = parsed.GetValue(_only) ?? "";
        var sizes = BenchmarkSizes.For(device);
        List<BenchmarkRow> rows =
            [.. (file?.Known ?? []).Where(row => row.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        if (rows.Count > 0)
            Terminal.Say($"{rows.Count} rows are known from {parsed.GetValue(_rows)}");
        HashSet<(string, string)> known = [.. rows.Select(row => (row.Name, row.Shape))];
        using var operations = new OperationBenchmark(device, sizes, gflops, bandwidth);
        var models = new ModelBenchmark(device, sizes, gflops, bandwidth);
        foreach (BenchmarkRow row in operations.Run(only, known).Concat(models.Run(only, known)))
        {
            file?.Add(row);
            Cancellation.ThrowIfCancellationRequested();
            Terminal.Say(Format.Invariant($"{row.Name} {row.Shape}: {row.Milliseconds:F3} ms"));
            rows.Add(row);
        }
        if (Terminal.Json)
            Terminal.WriteJson(json => Write(json, device, gflops, bandwidth, rows));
        else
            Write(device, gflops, bandwidth, rows);
        return ExitCode.Done;
    }

    // GFLOP/s and GB/s.
    private static (double, double) Peaks(Device device) => device switch
    {
        EmulatedDevice gpu => (GpuRoofline.MeasureGflops(gpu, EmulatedTurns),
            GpuRoofline.MeasureBandwidth(gpu, EmulatedCopy)),
        GpuDevice gpu => (GpuRoofline.MeasureGflops(gpu), GpuRoofline.MeasureBandwidth(gpu)),
        _ => (CpuRoofline.MeasureGflopsOfOperands((CpuDevice)device), CpuRoofline.MeasureBandwidth((CpuDevice)device)),
    };

    private void Write(Device device, double gflops, double bandwidth, IEnumerable<BenchmarkRow> rows)
    {
        Terminal.Out.WriteLine(device is EmulatedDevice
            ? Format.Invariant($"{device.Name}: multiply-adds {gflops:F3} GFLOP/s, memory {bandwidth:F1} GB/s (copy)")
            : device is GpuDevice gpu
            ? Format.Invariant(
                $"{device.Name}: {GpuRoofline.Instruction(gpu)} of {device.Activations.Describe()} ",
                $"{gflops / 1e3:F0} TFLOP/s, memory {bandwidth:F0} GB/s (copy)")
            : Format.Invariant(
                $"{Machine.Processor}, {device.Name}: ",
                $"{(device is CpuDevice { Operands: ElementType.BFloat16 } ? "VDPBF16PS" : "FMA")} peak ",
                $"{gflops:F0} GFLOP/s, ",
                $"memory {bandwidth:F1} GB/s (triad)"));
        Table table = new Table().Border(TableBorder.Simple).AddColumns("operation", "shape");
        string share = device is EmulatedDevice ? "of the device" : device is GpuDevice ? "of the card"
            : "of the machine";
        foreach (string title in new[] { "ms", "GFLOP/s", "GB/s", share })
            table.AddColumn(new TableColumn(title).RightAligned());
        foreach (BenchmarkRow row in rows)
            table.AddRow(Markup.Escape(row.Name), Markup.Escape(row.Shape), Format.Invariant($"{row.Milliseconds:F3}"),
                Format.Invariant($"{row.Gflops:F1}"), Format.Invariant($"{row.GigabytesPerSecond:F1}"),
                Format.Percent(row.Ratio));
        Terminal.Human.Write(table);
    }

    private static void Write(Utf8JsonWriter json, Device device, double gflops, double bandwidth,
        IEnumerable<BenchmarkRow> rows)
    {
        json.WriteStartObject();
        WriteFacts(json, device, gflops, bandwidth);
        json.WriteStartArray("operations");
        foreach (BenchmarkRow row in rows)
        {
            json.WriteStartObject();
            RowsFile.WriteRow(json, row);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteFacts(Utf8JsonWriter json, Device device, double gflops, double bandwidth)
    {
        json.WriteString("processor", Machine.Processor);
        json.WriteString("device", device.Name);
        json.WriteString("precision", device.Activations.Describe());
        if (device is CpuDevice host)
            json.WriteNumber("threads", host.Threads);
        json.WriteNumber("peakGflops", Math.Round(gflops, 1));
        if (device is GpuDevice gpu)
            json.WriteString("peakOf", GpuRoofline.Instruction(gpu));
        json.WriteNumber("bandwidthGBs", Math.Round(bandwidth, 1));
    }
}
