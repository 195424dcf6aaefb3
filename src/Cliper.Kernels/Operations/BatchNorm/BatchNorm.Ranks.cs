using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

// The batch of several ranks is that of all their rows.
public static unsafe partial class BatchNorm
{
    /// <summary>Merges mean and sum of squares about it of two sets of rows (Chan, Golub, LeVeque 1979).</summary>
    private static void Merge(ref double mean, ref double squares, double rows, double otherMean, double otherSquares,
        double otherRows)
    {
        double all = rows + otherRows, difference = otherMean - mean;
        mean += difference * (otherRows / all);
        squares += otherSquares + difference * difference * (rows * otherRows / all);
    }

    /// <summary>Replaces this rank's moments by those of all ranks' rows, merged in the order of the ranks.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="moments">Means, then sums of squares about them, [2, channels].</param>
    /// <param name="rows">This rank's rows.</param>
    /// <returns>The rows of all ranks.</returns>
    private static long MergeRanks(RankGroup ranks, double[] moments, long rows)
    {
        if (ranks.Size == 1)
            return rows;
        int channels = moments.Length / 2, width = moments.Length + 1;
        var all = new double[width * ranks.Size];
        ranks.GatherEqual<double>([.. moments, rows], all);
        double counted = 0;
        Array.Clear(moments);
        for (int rank = 0; rank < ranks.Size; rank++)
        {
            ReadOnlySpan<double> one = all.AsSpan(rank * width, width);
            for (int c = 0; c < channels; c++)
                Merge(ref moments[c], ref moments[channels + c], counted, one[c], one[channels + c], one[^1]);
            counted += one[^1];
        }
        return (long)counted;
    }

    /// <summary>Sums the backward pass's sums over the ranks, in their order.</summary>
    /// <param name="ranks">The ranks.</param>
    /// <param name="sums">[2, channels].</param>
    /// <param name="rows">This rank's rows.</param>
    /// <returns>The rows of all ranks.</returns>
    private static long SumRanks(RankGroup ranks, DeviceArray sums, long rows)
    {
        if (ranks.Size == 1)
            return rows;
        ranks.Sum(sums.AsSpan<float>());
        var all = new long[ranks.Size];
        ranks.GatherEqual<long>([rows], all);
        return all.Sum();
    }
}
