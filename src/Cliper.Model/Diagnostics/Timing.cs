using System.Diagnostics;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Model.Diagnostics;

/// <summary>How long a call takes on a device.</summary>
internal static class Timing
{
    private const int FewestSamples = 3, MostCalls = 1000;

    // A card is waited for after this much work, so that waiting and launching weigh little.
    private const double SecondsASample = 0.02;

    /// <summary>
    /// Median seconds of a call, after some that are not counted. On a GPU a sample is many calls, waited for at the
    /// end.
    /// </summary>
    /// <param name="device">Where it runs.</param>
    /// <param name="run">The call.</param>
    /// <param name="seconds">To spend on samples.</param>
    public static double Median(Device device, Action run, double seconds)
    {
        var gpu = device as GpuDevice;
        // Kernels are compiled, loaded and given their memory.
        Sample(1);
        int calls = gpu is null ? 1 : (int)Math.Clamp(Math.Min(SecondsASample, seconds / FewestSamples) / Sample(1),
            1, MostCalls);
        var samples = new List<double>();
        long began = Stopwatch.GetTimestamp();
        while (samples.Count < FewestSamples || Stopwatch.GetElapsedTime(began).TotalSeconds < seconds)
            samples.Add(Sample(calls) / calls);
        samples.Sort();
        return samples[samples.Count / 2];

        double Sample(int count)
        {
            long start = Stopwatch.GetTimestamp();
            for (int call = 0; call < count; call++)
                run();
            gpu?.Synchronize();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }
}
