using System.Diagnostics;
using Cliper.Benchmarks.Measuring;
using Cliper.Kernels.Cpu;
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

    /// <summary>Measured FMA peak of the given threads in GFLOP/s.</summary>
    public double Peak(int threads)
    {
        if (_peaks.TryGetValue(threads, out double known))
            return known;
        (double avx512, double avx2) = Machine.FmaPeak(threads);
        Report.Figure($"FMA peak AVX-512, {threads} threads, GFLOP/s", avx512);
        Report.Figure($"FMA peak AVX2, {threads} threads, GFLOP/s", avx2);
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
