using System.Diagnostics;
using System.Runtime.CompilerServices;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// The measured roofline of this machine, with which operations are compared: best of several short runs,
/// for other programs can only make a run slower.
/// </summary>
public static unsafe class CpuRoofline
{
    private const int Rounds = 25;

    // Twelve chains: an FMA takes four cycles and two start in each, so eight hide the latency, and twelve with their
    // two operands still fit AVX2's sixteen registers.
    private const int Chains = 12;
    private const long FmaIterations = 1_000_000, Bf16Rounds = 100_000;

    // Three arrays of 64 MiB: several times the last-level cache of the machines at hand.
    private const long TriadElements = 16 << 20;

    /// <summary>
    /// Fused multiply-adds on registers alone, two floating-point operations each, on all threads of
    /// <paramref name="device"/>; in GFLOP/s.
    /// </summary>
    public static double MeasureGflops(CpuDevice device)
    {
        // The sums are kept where the compiler cannot see that nobody reads them.
        var sums = new float[device.Threads];
        double lanes = device.Level switch
        {
            SimdLevel.Avx512 => Lanes512.Count,
            SimdLevel.Avx2 => Lanes256.Count,
            _ => LanesPortable.Count,
        };
        double seconds = Best(device, (unit, _) => sums[unit] = device.Level switch
        {
            SimdLevel.Avx512 => MultiplyAdds<Lanes512>(FmaIterations),
            SimdLevel.Avx2 => MultiplyAdds<Lanes256>(FmaIterations),
            _ => MultiplyAdds<LanesPortable>(FmaIterations),
        });
        return 2.0 * Chains * lanes * FmaIterations * device.Threads / seconds / 1e9;
    }

    /// <summary>
    /// VDPBF16PS on registers alone, four floating-point operations a lane, on all threads of
    /// <paramref name="device"/>, whatever its operands are; in GFLOP/s. Null where this process cannot run it.
    /// </summary>
    public static double? MeasureBf16Gflops(CpuDevice device)
    {
        if (Bf16Support.Missing is not null)
            return null;
        using var probe = new CpuDevice(device.Threads, operands: ElementType.BFloat16);
        if (probe.Bf16 is not { } kernels)
            return null;
        double flops = kernels.RunPeak(Bf16Rounds);
        return flops * probe.Threads / Best(probe, (_, _) => kernels.RunPeak(Bf16Rounds)) / 1e9;
    }

    /// <summary>The peak of what the operands of <paramref name="device"/> are multiplied by, in GFLOP/s.</summary>
    public static double MeasureGflopsOfOperands(CpuDevice device) => device.Operands == ElementType.BFloat16
        ? MeasureBf16Gflops(device) ?? MeasureGflops(device) : MeasureGflops(device);

    /// <summary>
    /// a = b + s c over arrays far larger than the caches (STREAM's triad, three arrays moved), on all threads of
    /// <paramref name="device"/>; in GB/s. Operations whose operands stay in a cache can exceed it.
    /// </summary>
    public static double MeasureBandwidth(CpuDevice device)
    {
        DeviceArray a = device.Allocate(TriadElements), b = device.Allocate(TriadElements),
            c = device.Allocate(TriadElements);
        device.Clear(a);
        device.Clear(b);
        device.Clear(c);
        float* pa = a.Floats, pb = b.Floats, pc = c.Floats;
        long part = TriadElements / device.Threads / 64 * 64;
        double seconds = Best(device, (unit, _) =>
        {
            long start = unit * part;
            switch (device.Level)
            {
                case SimdLevel.Avx512:
                    Triad<Lanes512>(pa + start, pb + start, pc + start, part);
                    break;
                case SimdLevel.Avx2:
                    Triad<Lanes256>(pa + start, pb + start, pc + start, part);
                    break;
                default:
                    Triad<LanesPortable>(pa + start, pb + start, pc + start, part);
                    break;
            }
        });
        device.Free(a);
        device.Free(b);
        device.Free(c);
        return 3.0 * sizeof(float) * part * device.Threads / seconds / 1e9;
    }

    private static double Best(CpuDevice device, Action<int, int> part)
    {
        double best = double.PositiveInfinity;
        for (int round = 0; round <= Rounds; round++)
        {
            long start = Stopwatch.GetTimestamp();
            device.Pool.Run(device.Threads, part);
            if (round > 0)
                best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return best;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdds<V>(long iterations) where V : struct, ILanes<V>
    {
        V x = V.Create(0.999f), y = V.Create(1e-3f);
        V s0 = y, s1 = y, s2 = y, s3 = y, s4 = y, s5 = y, s6 = y, s7 = y, s8 = y, s9 = y, s10 = y, s11 = y;
        for (long i = 0; i < iterations; i++)
        {
            s0 = V.MultiplyAdd(s0, x, y);
            s1 = V.MultiplyAdd(s1, x, y);
            s2 = V.MultiplyAdd(s2, x, y);
            s3 = V.MultiplyAdd(s3, x, y);
            s4 = V.MultiplyAdd(s4, x, y);
            s5 = V.MultiplyAdd(s5, x, y);
            s6 = V.MultiplyAdd(s6, x, y);
            s7 = V.MultiplyAdd(s7, x, y);
            s8 = V.MultiplyAdd(s8, x, y);
            s9 = V.MultiplyAdd(s9, x, y);
            s10 = V.MultiplyAdd(s10, x, y);
            s11 = V.MultiplyAdd(s11, x, y);
        }
        return V.Sum(s0 + s1 + s2 + s3 + (s4 + s5 + s6 + s7) + (s8 + s9 + s10 + s11));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Triad<V>(float* a, float* b, float* c, long count) where V : struct, ILanes<V>
    {
        V s = V.Create(3f);
        for (long i = 0; i < count; i += V.Count)
            V.MultiplyAdd(s, V.Load(c + i), V.Load(b + i)).Store(a + i);
    }
}
