using System.Diagnostics;

namespace Cliper.Benchmarks.Measuring;

/// <summary>One way to do the work that is compared.</summary>
/// <param name="Side">Whose it is; of several ways of one side the best median counts.</param>
/// <param name="Run">Does the work once.</param>
internal sealed record Contender(Side Side, Action Run);

/// <summary>The sides of the comparison.</summary>
internal enum Side
{
    /// <summary>This project.</summary>
    Ours,

    /// <summary>This project with bf16 operands.</summary>
    OursBf16,

    /// <summary>TorchSharp on libtorch's CPU build.</summary>
    TorchSharp,

    /// <summary>TorchSharp with bf16 tensors.</summary>
    TorchSharpBf16,

    /// <summary>ONNX Runtime's CPU provider.</summary>
    OnnxRuntime,
}

/// <summary>
/// Times contenders sample by sample in turn, so that a slow phase of the machine meets all alike. Before each sample
/// all is quiet for a moment (a contender's idle threads spin for some time after its work and would take the next
/// one's cores), then one untimed call wakes the threads and caches up.
/// </summary>
/// <param name="quick">Fewer rounds within a given time, no waiting for a quiet machine.</param>
internal sealed class Contest(bool quick)
{
    private const int PauseMilliseconds = 120;
    private const double WarmUpBelowSeconds = 0.3;
    private static readonly TimeSpan LatestQuickSample = TimeSpan.FromSeconds(170);
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly double _sampleSeconds = quick ? 0.06 : 0.2;

    /// <summary>Samples used, and samples set aside because other processes were busy.</summary>
    public (int Kept, int Dropped) Samples { get; private set; }

    /// <summary>
    /// Median milliseconds a call of each side; NaN for a side without a contender. If other processes disturbed all
    /// samples of a contender, the disturbed ones are used, and the log says so.
    /// </summary>
    /// <param name="contenders">At least one.</param>
    /// <param name="rounds">Samples of each contender; a fraction of them in quick mode.</param>
    /// <param name="quickSeconds">In quick mode: no further round begins after this time.</param>
    public Dictionary<Side, double> Run(IReadOnlyList<Contender> contenders, int rounds, double quickSeconds)
    {
        var kept = contenders.Select(_ => new List<double>()).ToArray();
        var disturbed = contenders.Select(_ => new List<double>()).ToArray();
        long from = Stopwatch.GetTimestamp();
        // A first call of each, which compiles and allocates. On a machine too slow for a quick run it has to do.
        double[] first = [.. contenders.Select(contender => Time(contender.Run) * 1e3)];
        bool late = quick && Stopwatch.GetElapsedTime(_began) > LatestQuickSample;
        for (int index = 0; late && index < contenders.Count; index++)
            disturbed[index].Add(first[index]);
        for (int round = 0; !late && round < (quick ? Math.Min(rounds, 5) : rounds); round++)
        {
            for (int turn = 0; turn < contenders.Count; turn++)
            {
                // Every other round backwards, so that nobody always follows the same neighbor.
                int index = round % 2 == 0 ? turn : contenders.Count - 1 - turn;
                for (int attempt = 0; attempt < (quick ? 1 : 4); attempt++)
                {
                    (double milliseconds, bool isDisturbed) = Sample(contenders[index].Run);
                    (isDisturbed ? disturbed : kept)[index].Add(milliseconds);
                    if (!isDisturbed)
                        break;
                }
            }
            if (quick && Stopwatch.GetElapsedTime(from).TotalSeconds > quickSeconds)
                break;
        }
        Samples = (Samples.Kept + kept.Sum(list => list.Count), Samples.Dropped + disturbed.Sum(list => list.Count));
        var best = new Dictionary<Side, double>();
        for (int index = 0; index < contenders.Count; index++)
        {
            bool calm = kept[index].Count > 0;
            if (!calm)
                Console.Error.WriteLine(
                    $"    every sample of {contenders[index].Side} was disturbed; used all the same");
            double median = Median(calm ? kept[index] : disturbed[index]);
            if (!best.TryGetValue(contenders[index].Side, out double other) || median < other)
                best[contenders[index].Side] = median;
        }
        return best;
    }

    /// <summary>The middle value; the mean of the two middle ones of an even count.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private (double Milliseconds, bool Disturbed) Sample(Action run)
    {
        if (!quick)
            ForeignLoad.WaitUntilLow(TimeSpan.FromSeconds(20));
        Thread.Sleep(PauseMilliseconds);
        ForeignLoad.Mark mark = ForeignLoad.Now();
        double first = Time(run), seconds;
        // Work of this length wakes everything up in a small part of itself: the call counts, and is enough.
        if (first >= WarmUpBelowSeconds)
            return (first * 1e3, ForeignLoad.WasHigh(mark));
        int calls = 0;
        mark = ForeignLoad.Now();
        long from = Stopwatch.GetTimestamp();
        do
        {
            run();
            calls++;
            seconds = Stopwatch.GetElapsedTime(from).TotalSeconds;
        }
        while (seconds < _sampleSeconds);
        return (seconds / calls * 1e3, ForeignLoad.WasHigh(mark));
    }

    private static double Time(Action run)
    {
        long from = Stopwatch.GetTimestamp();
        run();
        return Stopwatch.GetElapsedTime(from).TotalSeconds;
    }
}
