using Cliper.Kernels.Operations;

namespace Cliper.Model.Interpretation;

/// <summary>A measured mutual information beside what chance gives.</summary>
/// <param name="Bits">The mean over the groups of the mutual information, weighted by their samples, in bits.</param>
/// <param name="Shuffled">Mean of the same over the shuffles.</param>
/// <param name="Limit">The shuffles' 95th percentile.</param>
/// <param name="Percentile">Share of the shuffles that are below the measured value, 0 to 1.</param>
/// <param name="Entropy">Entropy of the trait within the groups, in bits: the most that could be known.</param>
internal sealed record Information(double Bits, double Shuffled, double Limit, double Percentile, double Entropy);

/// <summary>
/// How much the nearest descriptor tells about a trait of a sample, such as how strong its expression is: the mutual
/// information of two discrete variables within a class. Finite samples have some by chance, so it stands beside that
/// of shuffled traits (a permutation test).
/// </summary>
internal static class MutualInformation
{
    // Distinct from the order of epochs.
    private const uint ShufflesStep = 0x4D494E46;

    /// <summary>The mutual information of two variables, sum p(x, y) log2(p(x, y) / (p(x) p(y))), by their
    /// counts.</summary>
    /// <param name="x">One variable, from 0.</param>
    /// <param name="y">The other, of equal length.</param>
    /// <returns>Bits; 0 without samples.</returns>
    public static double Bits(ReadOnlySpan<int> x, ReadOnlySpan<int> y)
    {
        if (x.Length != y.Length)
            throw new ArgumentException($"{x.Length} values beside {y.Length}");
        if (x.IsEmpty)
            return 0;
        return Bits(x, y, Max(x) + 1, Max(y) + 1);
    }

    /// <summary>Entropy of a variable by its counts, in bits.</summary>
    /// <param name="x">The variable, from 0.</param>
    public static double Entropy(ReadOnlySpan<int> x) => Bits(x, x);

    /// <summary>Measures how much a descriptor tells within groups.</summary>
    /// <param name="descriptors">The nearest descriptor of each sample.</param>
    /// <param name="trait">The trait of each sample, from 0.</param>
    /// <param name="groups">The class of each sample, within which information counts.</param>
    /// <param name="blocks">Samples of one block exchange their traits when they are shuffled: the class, or the frames
    /// of one clip, so that whose face it is stays as it was.</param>
    /// <param name="shuffles">Shuffles of the control.</param>
    /// <param name="seed">Seed of the shuffles.</param>
    public static Information Measure(int[] descriptors, int[] trait, int[] groups, int[] blocks, int shuffles,
        ulong seed)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shuffles, 1);
        int[][] byGroup = [.. Positions(groups)], byBlock = [.. Positions(blocks)];
        int xs = descriptors.Length == 0 ? 1 : Max(descriptors) + 1, ys = trait.Length == 0 ? 1 : Max(trait) + 1;
        int[][] own = [.. byGroup.Select(group => Values(descriptors, group))];
        double measured = Mean(trait), entropy = byGroup.Sum(group =>
        {
            int[] values = Values(trait, group);
            return group.Length * Bits(values, values, ys, ys);
        }) / Math.Max(1, groups.Length);
        var controls = new double[shuffles];
        var shuffled = (int[])trait.Clone();
        for (int shuffle = 0; shuffle < shuffles; shuffle++)
        {
            var random = new RandomStream(seed, RandomPurpose.Shuffle, ShufflesStep, (uint)shuffle);
            foreach (int[] block in byBlock)
            {
                int[] values = Values(trait, block);
                random.Shuffle(values.AsSpan());
                for (int i = 0; i < block.Length; i++)
                    shuffled[block[i]] = values[i];
            }
            controls[shuffle] = Mean(shuffled);
        }
        Array.Sort(controls);
        return new Information(measured, controls.Average(),
            controls[Math.Min(shuffles - 1, (int)Math.Ceiling(0.95 * shuffles) - 1)],
            (double)controls.Count(control => control < measured) / shuffles, entropy);

        double Mean(int[] values)
        {
            double sum = 0;
            for (int group = 0; group < byGroup.Length; group++)
                sum += byGroup[group].Length * Bits(own[group], Values(values, byGroup[group]), xs, ys);
            return sum / Math.Max(1, groups.Length);
        }
    }

    private static double Bits(ReadOnlySpan<int> x, ReadOnlySpan<int> y, int xs, int ys)
    {
        var joint = new int[xs * ys];
        int[] ofX = new int[xs], ofY = new int[ys];
        for (int i = 0; i < x.Length; i++)
        {
            joint[x[i] * ys + y[i]]++;
            ofX[x[i]]++;
            ofY[y[i]]++;
        }
        double bits = 0, count = x.Length;
        for (int i = 0; i < xs; i++)
            for (int j = 0; j < ys; j++)
                if (joint[i * ys + j] is > 0 and var both)
                    bits += both / count * Math.Log2(both * count / ((double)ofX[i] * ofY[j]));
        return bits;
    }

    private static int[] Values(int[] all, int[] positions) => Array.ConvertAll(positions, position => all[position]);

    private static IEnumerable<int[]> Positions(int[] keys) => Enumerable.Range(0, keys.Length)
        .GroupBy(position => keys[position]).OrderBy(group => group.Key).Select(group => group.ToArray());

    private static int Max(ReadOnlySpan<int> values)
    {
        int max = 0;
        foreach (int value in values)
            max = Math.Max(max, value);
        return max;
    }
}
