using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Cliper.Model.Video;

namespace Cliper.Cli;

/// <summary>Facts about the machine that the program runs on.</summary>
internal static class Machine
{
    /// <summary>The CPU's own name where the system tells it, its architecture otherwise.</summary>
    public static string Processor { get; } = ReadProcessor();

    /// <summary>The system's name for itself.</summary>
    public static string System => $"{RuntimeInformation.OSDescription} ({RuntimeInformation.OSArchitecture})";

    /// <summary>The runtime.</summary>
    public static string Runtime => RuntimeInformation.FrameworkDescription;

    /// <summary>Memory this process may use, in bytes: the machine's, or its container's.</summary>
    public static long MemoryBytes => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;

    /// <summary>Logical processors of the machine, of which this process may be allowed some only.</summary>
    public static int Cores { get; } = ReadCores();

    /// <summary>The first line of `ffmpeg -version`; null when there is no ffmpeg on the PATH.</summary>
    public static string? FindFfmpeg()
    {
        if (Ffmpeg.Location is not { } path)
            return null;
        try
        {
            using var process = Process.Start(new ProcessStartInfo(path, "-version")
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            string? line = process.StandardOutput.ReadLine();
            process.Kill();
            return line;
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    // A list of ranges, such as 0-3,6.
    private static int ReadCores()
    {
        const string Online = "/sys/devices/system/cpu/online";
        if (!File.Exists(Online))
            return Environment.ProcessorCount;
        return File.ReadAllText(Online).Trim().Split(',').Select(range => range.Split('-'))
            .Sum(ends => int.Parse(ends[^1], CultureInfo.InvariantCulture)
                - int.Parse(ends[0], CultureInfo.InvariantCulture) + 1);
    }

    private static string ReadProcessor()
    {
        const string CpuInfo = "/proc/cpuinfo";
        string? line = File.Exists(CpuInfo)
            ? File.ReadLines(CpuInfo).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line?.Split(':', 2)[1].Trim() ?? RuntimeInformation.ProcessArchitecture.ToString();
    }
}
