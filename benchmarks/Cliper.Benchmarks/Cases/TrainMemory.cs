using System.Diagnostics;
using System.Globalization;
using System.Runtime;
using System.Runtime.CompilerServices;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// Peak memory of the training step: each side alone in a process of its own, as the kernel counts resident pages
/// (VmHWM), from when the model stands and the arrays it was made of are gone, over three steps.
/// </summary>
internal static class TrainMemory
{
    /// <summary>First argument of the processes started here.</summary>
    public const string Command = "train-memory";

    private const int Threads = 2;
    private const int Steps = 3;

    public static void Run(Bench bench)
    {
        foreach ((int patch, int batch) in TrainCases.Models)
        {
            string kind = $"train ViT-B/{patch} batch {batch}";
            if (!bench.Wants($"{kind} peak memory"))
                continue;
            foreach (Side side in new[] { Side.Ours, Side.TorchSharp })
                bench.Report.Figure($"{kind} peak memory {side}, MB", Start(side, patch, batch));
        }
    }

    /// <summary>A started process prints its peak in megabytes.</summary>
    public static int Child(string[] args)
    {
        (Side side, int patch, int batch) = (Enum.Parse<Side>(args[0]), int.Parse(args[1]), int.Parse(args[2]));
        using CpuDevice device = new(Threads);
        using TrainCases.IStep step = Create(side, device, patch, batch);
        GCSettings.LargeObjectHeapCompactionMode = GCLargeObjectHeapCompactionMode.CompactOnce;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        // Sets VmHWM back to what is resident now.
        File.WriteAllText("/proc/self/clear_refs", "5");
        for (int turn = 0; turn < Steps; turn++)
            step.Step();
        string peak = File.ReadLines("/proc/self/status").First(line =>
            line.StartsWith("VmHWM:", StringComparison.Ordinal));
        double kilobytes = double.Parse(peak.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            CultureInfo.InvariantCulture);
        Console.WriteLine((kilobytes * 1024 / 1e6).ToString("F0", CultureInfo.InvariantCulture));
        return 0;
    }

    // Apart, so that no register or stack slot of the caller keeps the weights' arrays alive.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static TrainCases.IStep Create(Side side, CpuDevice device, int patch, int batch)
    {
        var towers = new Towers(ClipShape.Image(patch));
        if (side == Side.Ours)
            return new TrainCases.OurStep(towers, device, batch);
        // Loaded here only, so that our side does not pay for it.
        TorchNative.Prepare();
        TorchSharp.torch.set_num_threads(Threads);
        return new TrainCases.TheirStep(towers, batch);
    }

    private static double Start(Side side, int patch, int batch)
    {
        string[] arguments = [Command, side.ToString(), patch.ToString(CultureInfo.InvariantCulture),
            batch.ToString(CultureInfo.InvariantCulture)];
        using Process process = Process.Start(new ProcessStartInfo(Environment.ProcessPath!, arguments)
        {
            RedirectStandardOutput = true,
        })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? double.Parse(output, CultureInfo.InvariantCulture)
            : throw new InvalidOperationException(
            $"the memory measurement of {side} ended with exit code {process.ExitCode}");
    }
}
