using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Cliper.Kernels;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Cuda;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Model;

namespace Cliper.Cli.Commands;

/// <summary>The options that every command has.</summary>
/// <param name="terminal">Receives a warning when a GPU is present that cannot be used.</param>
internal sealed partial class CommonOptions(Terminal terminal)
{
    private const int MaxThreads = 1024;
    private const string Cuda = "cuda", NumberedCuda = "cuda:", Emulated = "emulated";

    internal static readonly string[] Devices = ["auto", "cpu", Cuda, "cuda:N", Emulated];
    private const string BestOfDevice = "auto";
    private static readonly ElementType[] Formats = [ElementType.Float32, ElementType.Float16, ElementType.BFloat16];

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Result as one JSON document on standard output; everything else goes to standard error.",
        Recursive = true,
    };

    public Option<bool> Verbose { get; } = new("--verbose")
    {
        Description = "With an error, where in the program it arose.",
        Recursive = true,
    };

    public Option<string> Device { get; } = new("--device")
    {
        Description =
            "Where to compute: auto (a CUDA card if there is one that works, else the processor), cpu, cuda, "
            + "cuda:N for card N from 0, or emulated (the card's portable kernels on the processor, thousands of "
            + "times slower: for tiny models).",
        HelpName = "DEVICE",
        DefaultValueFactory = _ => "auto",
        Recursive = true,
    };

    public Option<int> Threads { get; } = new("--threads")
    {
        Description = "Threads an operation uses on the processor; 0 is one a core.",
        HelpName = "N",
        Recursive = true,
    };

    public Option<string?> GpuMemory { get; } = new("--gpu-memory")
    {
        Description = "Memory to reserve on the card, such as 8GiB or 500MiB; without it nine tenths of what is free.",
        HelpName = "SIZE",
        Recursive = true,
    };

    public Option<string?> Memory { get; } = new("--memory")
    {
        Description =
            "Memory that pictures may take together while they are decoded, such as 500MiB; without it an eighth of "
            + "the machine's, at most 1 GiB.",
        HelpName = "SIZE",
        Recursive = true,
    };

    public Option<bool> NoGraphs { get; } = new("--no-graphs")
    {
        Description = "Launches a training step's kernels one by one on the card, not as one CUDA graph.",
        Recursive = true,
    };

    public Option<string?> Precision { get; } = new("--precision")
    {
        Description =
            "auto (fp16 on a GPU, fp32 on the processor), or one by name. A GPU stores activations in fp16 or bf16 "
            + "(the range of fp32 in fewer digits; compute capability 8.0 or later). The processor computes in fp32, "
            + "or multiplies in bf16 where it has AVX512_BF16; doctor says what that would give.",
        HelpName = "FORMAT",
        Recursive = true,
    };

    public IReadOnlyList<Option> All => [Json, Device, GpuMemory, Memory, NoGraphs, Precision, Threads, Verbose];

    /// <summary>The number of threads that was asked for; 0 is one a core.</summary>
    /// <exception cref="SettingsException">It is out of range.</exception>
    public int ThreadsOf(ParseResult parsed)
    {
        int threads = parsed.GetValue(Threads);
        return threads is >= 0 and <= MaxThreads ? threads
            : throw new SettingsException($"--threads is {threads}; it must lie within 0 and {MaxThreads}");
    }

    /// <summary>
    /// The device that was asked for. With auto, a GPU that cannot be used is reported on standard error.
    /// </summary>
    /// <exception cref="SettingsException">There is no such device, number of threads, size or precision.</exception>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    /// <param name="parsed">The command line.</param>
    /// <param name="usualThreads">Threads on the processor where none are asked for; 0 is one a core.</param>
    public Device OpenDevice(ParseResult parsed, int usualThreads = 0)
    {
        string device = parsed.GetValue(Device)!;
        int threads = ThreadsOf(parsed) is var asked and > 0 ? asked : usualThreads;
        long memory = SizeOf(parsed, GpuMemory) ?? 0;
        ElementType? precision = PrecisionOf(parsed);
        bool graphs = !parsed.GetValue(NoGraphs);
        switch (device)
        {
            case "auto":
                return OpenAny(threads, memory, precision, graphs);
            case Cuda:
                return OpenCard(0, memory, OnGpu(precision, device), graphs);
            case "cpu" or Emulated when memory > 0:
                throw new SettingsException(
                    $"--gpu-memory is for a card, and --device is {device}: leave one of them out");
            case "cpu" or Emulated when !graphs:
                throw new SettingsException(
                    $"--no-graphs is for a card, and --device is {device}: leave one of them out");
            case "cpu":
                return OpenCpu(threads, precision);
            case Emulated:
                return new EmulatedDevice(OnGpu(precision, device));
        }
        if (device.StartsWith(NumberedCuda, StringComparison.Ordinal))
            return int.TryParse(device.AsSpan(NumberedCuda.Length), NumberStyles.None, CultureInfo.InvariantCulture,
                out int ordinal)
                ? OpenCard(ordinal, memory, OnGpu(precision, device), graphs)
                : throw new SettingsException(
                $"--device is '{device}'; a card is named by its number from 0, such as cuda:1");
        throw new SettingsException($"--device is '{device}'; there are {string.Join(", ", Devices)}"
            + Suggestion.Hint(device, Devices));
    }

    private CudaDevice OpenCard(int ordinal, long memory, ElementType stored, bool graphs) =>
        GpuDevices.OpenCuda(ordinal, memory, stored, graphs, warning => terminal.Say($"cliper-gpu: {warning}"));

    // fp32 by name is the processor's alone.
    private Device OpenAny(int threads, long memory, ElementType? precision, bool graphs)
    {
        if (precision == ElementType.Float32)
            return OpenCpu(threads, precision);
        try
        {
            return OpenCard(0, memory, OnGpu(precision, Cuda), graphs);
        }
        catch (DeviceException reason)
        {
            if (CudaDevice.HasDriver)
                terminal.Say($"cliper-gpu: computing on the processor: {reason.Message}");
            return OpenCpu(threads, precision);
        }
    }

    private CpuDevice OpenCpu(int threads, ElementType? precision)
    {
        if (precision == ElementType.Float16)
            throw new SettingsException("--precision fp16 is for a GPU, and this is the processor: use fp32, or bf16 "
                + "where doctor says that it can");
        var device = new CpuDevice(threads, operands: precision ?? ElementType.Float32);
        if (device.WhyNotBf16 is { } reason)
            terminal.Say($"cliper-gpu: computing in fp32, not bf16: {reason}");
        return device;
    }

    private static ElementType OnGpu(ElementType? precision, string device) => precision switch
    {
        ElementType.Float32 => throw new SettingsException(
            $"--precision fp32 is for the processor, and --device is {device}: use fp16 or bf16"),
        _ => precision ?? ElementType.Float16,
    };

    // The precision by name; null for auto.
    private ElementType? PrecisionOf(ParseResult parsed)
    {
        string name = parsed.GetValue(Precision) ?? BestOfDevice;
        string[] names = [.. Formats.Select(ElementTypes.Describe), BestOfDevice];
        int at = Array.IndexOf(names, name);
        if (at < 0)
            throw new SettingsException($"--precision is '{name}'; there are {string.Join(", ", names)}"
                + Suggestion.Hint(name, names));
        return at < Formats.Length ? Formats[at] : null;
    }

    /// <summary>Memory that pictures may take; null where none is given.</summary>
    /// <exception cref="SettingsException">It is no size.</exception>
    public long? MemoryOf(ParseResult parsed) => SizeOf(parsed, Memory);

    private static long? SizeOf(ParseResult parsed, Option<string?> option)
    {
        if (parsed.GetValue(option) is not { } text)
            return null;
        Match size = Size().Match(text);
        if (size.Success && double.TryParse(size.Groups[1].Value, CultureInfo.InvariantCulture, out double number))
        {
            double bytes = number * (size.Groups[2].Value.ToLowerInvariant() switch
            {
                "kib" => 1L << 10,
                "mib" => 1L << 20,
                "gib" => 1L << 30,
                "kb" => 1_000,
                "mb" => 1_000_000,
                _ => 1_000_000_000,
            });
            if (bytes is >= 1 and < long.MaxValue)
                return (long)bytes;
        }
        throw new SettingsException(
            $"{option.Name} is '{text}'; expected a size above zero with its unit, such as 8GiB or 500MiB");
    }

    [GeneratedRegex(@"^(\d+(?:\.\d+)?) ?([KMG]i?B)$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Size();
}
