namespace Cliper.Model.Metrics;

/// <summary>
/// How evenly the descriptors of the classes are used: the entropy of the nearest own descriptor over the samples of a
/// class, right or wrong, divided by log M. It is 0 where every sample has the same descriptor (the collapse that
/// CLIPER's modulating factor is meant against), and 1 where all are used alike.
/// </summary>
public static class DescriptorUsage
{
    /// <summary>Mean entropy over the classes that have samples; null without samples, and for one descriptor a
    /// class.</summary>
    /// <param name="counts">Samples of class k whose nearest own descriptor is m, [k][m].</param>
    public static double? EntropyOf(IReadOnlyList<IReadOnlyList<long>> counts)
    {
        double[] entropies = [.. counts.Where(row => row.Count > 1 && row.Sum() > 0).Select(Entropy)];
        return entropies.Length == 0 ? null : entropies.Average();
    }

    /// <summary>The number of a class's descriptors in use, were they used alike: exp of the entropy; 0 without
    /// samples.</summary>
    /// <param name="counts">Samples of the class by their nearest own descriptor.</param>
    internal static double PerplexityOf(IReadOnlyList<long> counts) =>
        counts.Sum() == 0 ? 0 : Math.Exp(Nats(counts));

    private static double Entropy(IReadOnlyList<long> counts) => Nats(counts) / Math.Log(counts.Count);

    private static double Nats(IReadOnlyList<long> counts)
    {
        double total = counts.Sum(), entropy = 0;
        foreach (long count in counts)
            if (count > 0)
                entropy -= count / total * Math.Log(count / total);
        return entropy;
    }
}
