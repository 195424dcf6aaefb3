using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Benchmarks.Measuring;

/// <summary>
/// The machine, and the most arithmetic it can do: the ceiling every GFLOP/s figure is held against.
/// </summary>
internal static unsafe class Machine
{
    private const int Accumulators = 12;
    private const long Turns = 20_000_000;
    private static float _sink;

    /// <summary>Processor, cores, system and runtime, in one line.</summary>
    public static string Describe()
    {
        string[] processor = File.Exists("/proc/cpuinfo") ? File.ReadAllLines("/proc/cpuinfo") : [];
        string Field(string name) => processor.FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal))
            ?.Split(':', 2)[1].Trim() ?? "?";
        return $"{Field("model name")} (family {Field("cpu family")}, model {Field("model")}), "
            + $"{Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, "
            + $"{RuntimeInformation.FrameworkDescription}";
    }

    /// <summary>
    /// Best fp32 multiply-add rate measured, GFLOP/s, of <paramref name="threads"/> threads together.
    /// </summary>
    public static (double Avx512, double Avx2) FmaPeak(int threads) => (
        Avx512F.IsSupported ? Rate(threads, Vector512<float>.Count, Fma512) : 0,
        Fma.IsSupported ? Rate(threads, Vector256<float>.Count, Fma256) : 0);

    // The best of a few: anything that disturbs makes it smaller, so the largest is nearest to the ceiling.
    private static double Rate(int threads, int lanes, Func<long, float, float> work)
    {
        double best = 0;
        for (int turn = 0; turn < 5; turn++)
        {
            using var start = new Barrier(threads);
            var seconds = new double[threads];
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(worker => new Thread(() =>
            {
                _sink += work(Turns / 10, 0);
                start.SignalAndWait();
                long from = System.Diagnostics.Stopwatch.GetTimestamp();
                _sink += work(Turns, 0);
                seconds[worker] = System.Diagnostics.Stopwatch.GetElapsedTime(from).TotalSeconds;
            }))];
            foreach (Thread worker in workers)
                worker.Start();
            foreach (Thread worker in workers)
                worker.Join();
            best = Math.Max(best, seconds.Sum(time => 2.0 * Turns * Accumulators * lanes / time / 1e9));
        }
        return best;
    }

    // Twelve independent chains hide the latency of four cycles on two ports; all stay in registers.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma512(long turns, float seed)
    {
        Vector512<float> m = Vector512.Create(0.999f + seed), q = Vector512.Create(1e-6f);
        Vector512<float> a = m, b = m, c = m, d = m, e = m, f = m, g = m, h = m, i = m, j = m, k = m, l = m;
        for (long turn = 0; turn < turns; turn++)
        {
            a = Avx512F.FusedMultiplyAdd(a, m, q);
            b = Avx512F.FusedMultiplyAdd(b, m, q);
            c = Avx512F.FusedMultiplyAdd(c, m, q);
            d = Avx512F.FusedMultiplyAdd(d, m, q);
            e = Avx512F.FusedMultiplyAdd(e, m, q);
            f = Avx512F.FusedMultiplyAdd(f, m, q);
            g = Avx512F.FusedMultiplyAdd(g, m, q);
            h = Avx512F.FusedMultiplyAdd(h, m, q);
            i = Avx512F.FusedMultiplyAdd(i, m, q);
            j = Avx512F.FusedMultiplyAdd(j, m, q);
            k = Avx512F.FusedMultiplyAdd(k, m, q);
            l = Avx512F.FusedMultiplyAdd(l, m, q);
        }
        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Fma256(long turns, float seed)
    {
        Vector256<float> m = Vector256.Create(0.999f + seed), q = Vector256.Create(1e-6f);
        Vector256<float> a = m, b = m, c = m, d = m, e = m, f = m, g = m, h = m, i = m, j = m, k = m, l = m;
        for (long turn = 0; turn < turns; turn++)
        {
            a = Fma.MultiplyAdd(a, m, q);
            b = Fma.MultiplyAdd(b, m, q);
            c = Fma.MultiplyAdd(c, m, q);
            d = Fma.MultiplyAdd(d, m, q);
            e = Fma.MultiplyAdd(e, m, q);
            f = Fma.MultiplyAdd(f, m, q);
            g = Fma.MultiplyAdd(g, m, q);
            h = Fma.MultiplyAdd(h, m, q);
            i = Fma.MultiplyAdd(i, m, q);
            j = Fma.MultiplyAdd(j, m, q);
            k = Fma.MultiplyAdd(k, m, q);
            l = Fma.MultiplyAdd(l, m, q);
        }
        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j + k + l);
    }
}
