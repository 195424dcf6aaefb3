using System.CommandLine;
using Cliper.Kernels.Devices;
using Cliper.Model;

namespace Cliper.Cli.Commands;

/// <summary>The options that every command has.</summary>
internal sealed class CommonOptions
{
    /// <summary>Why no GPU is used.</summary>
    public const string NoCuda = "no usable CUDA device: this version computes on the processor only; use --device cpu or auto";

    private const int MaxThreads = 1024;

    private static readonly string[] Devices = ["auto", "cpu", "cuda"];

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
        Description = "Where to compute: auto, cpu or cuda.",
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

    public IReadOnlyList<Option> All => [Json, Device, Threads, Verbose];

    /// <summary>The number of threads that was asked for; 0 is one a core.</summary>
    /// <exception cref="SettingsException">It is out of range.</exception>
    public int ThreadsOf(ParseResult parsed)
    {
        int threads = parsed.GetValue(Threads);
        return threads is >= 0 and <= MaxThreads ? threads
            : throw new SettingsException($"--threads is {threads}; it must lie within 0 and {MaxThreads}");
    }

    /// <summary>The device that was asked for.</summary>
    /// <exception cref="SettingsException">There is no such device or number of threads.</exception>
    /// <exception cref="DeviceException">It cannot be used.</exception>
    public HostDevice OpenDevice(ParseResult parsed)
    {
        string device = parsed.GetValue(Device)!;
        int threads = ThreadsOf(parsed);
        return device switch
        {
            "auto" or "cpu" => new HostDevice(threads),
            "cuda" => throw new DeviceException(NoCuda),
            _ => throw new SettingsException($"--device is '{device}'; there are {string.Join(", ", Devices)}" + Suggestion.Hint(device, Devices)),
        };
    }
}
