using System.Diagnostics;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using TorchSharp;

namespace Cliper.Benchmarks.Cases;

/// <summary>The parts that the cases share: the rows wanted, the contest and the report.</summary>
internal sealed class Bench(IReadOnlyList<string> prefixes, bool quick)
{
    private readonly Dictionary<int, double> _peaks = [];
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Fewer rounds, fewer cases.</summary>
    public bool Quick => quick;

    /// <summary>Time since the beginning.</summary>
    public TimeSpan Elapsed => Stopwatch.GetElapsedTime(_began);

    /// <summary>Times the contenders.</summary>
    public Contest Contest { get; } = new(quick);

    /// <summary>Collects the rows.</summary>
    public Report Report { get; } = new();

    /// <summary>Whether a row of this name is asked for.</summary>
    public bool Wants(string name) =>
        prefixes.Count == 0 || prefixes.Any(prefix => name.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>Whether any row whose name begins with <paramref name="kind"/> can be asked for.</summary>
    public bool WantsAny(string kind) => prefixes.Count == 0 || prefixes.Any(prefix =>
        prefix.StartsWith(kind, StringComparison.Ordinal) || kind.StartsWith(prefix, StringComparison.Ordinal));

    /// <summary>A host device of the given threads, and libtorch set to as many.</summary>
    public static CpuDevice Device(int threads)
    {
        torch.set_num_threads(threads);
        return new CpuDevice(threads);
    }

    /// <summary>The same device with bf16 operands; null where this machine has none.</summary>
    public static CpuDevice? Bf16Device(int threads)
    {
        if (Bf16Support.Missing is not null)
            return null;
        var device = new CpuDevice(threads, operands: ElementType.BFloat16);
        if (device.WhyNotBf16 is null)
            return device;
        device.Dispose();
        return null;
    }

    /// <summary>Measured FMA peak of the given threads in GFLOP/s.</summary>
    public double Peak(int threads)
    {
        if (_peaks.TryGetValue(threads, out double known))
            return known;
        (double avx512, double avx2) = Machine.FmaPeak(threads);
        Report.Figure($"FMA peak AVX-512, {threads} threads, GFLOP/s", avx512);
        Report.Figure($"FMA peak AVX2, {threads} threads, GFLOP/s", avx2);
        using CpuDevice device = new(threads);
        if (CpuRoofline.MeasureBf16Gflops(device) is { } bf16)
            Report.Figure($"VDPBF16PS peak, {threads} threads, GFLOP/s", bf16);
        return _peaks[threads] = Math.Max(avx512, avx2);
    }

    /// <summary>Times one row.</summary>
    /// <param name="name">Name of the row.</param>
    /// <param name="threads">Threads of every contender.</param>
    /// <param name="gflop">Arithmetic of the work, 1e9 operations; 0 when it is not meant in flops.</param>
    /// <param name="rounds">Samples of each contender.</param>
    /// <param name="quickSeconds">Time after which a quick run begins no further round.</param>
    /// <param name="contenders">Who does the work.</param>
    public void Row(string name, int threads, double gflop, int rounds, double quickSeconds,
        params Contender[] contenders)
    {
        double peak = Peak(threads);
        Report.Add(name, threads, Contest.Run(contenders, rounds, quickSeconds), gflop, peak);
    }

    /// <summary>The contenders in bf16; none without <paramref name="problem"/>.</summary>
    /// <param name="problem">The problem in bf16.</param>
    /// <param name="ours">Does the work on this project's side.</param>
    /// <param name="theirs">Does it on TorchSharp's; null where it has no such work.</param>
    public static IEnumerable<Contender> Bf16<T>(T? problem, Action<T> ours, Action<T>? theirs) where T : class
    {
        if (problem is null)
            yield break;
        yield return new Contender(Side.OursBf16, () => ours(problem));
        if (theirs is not null)
            yield return new Contender(Side.TorchSharpBf16, Libtorch.Scoped(() => theirs(problem)));
    }

    /// <summary>Uniform in [-scale, scale), the same for the same seed.</summary>
    public static float[] Random(long count, int seed, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = (random.NextSingle() * 2 - 1) * scale;
        return values;
    }

    /// <summary>[columns, rows] of [rows, columns].</summary>
    public static float[] Transpose(float[] values, int rows, int columns)
    {
        var result = new float[values.Length];
        for (int row = 0; row < rows; row++)
            for (int column = 0; column < columns; column++)
                result[(long)column * rows + row] = values[(long)row * columns + column];
        return result;
    }
}
