using Cliper.Kernels.Operations;

namespace Cliper.Model.Samples;

/// <summary>
/// Divides groups of samples (subjects) so that each part gets about the same share of each class. The rarest classes
/// are dealt first, each group to the part that has least of its classes.
/// </summary>
internal sealed class StratifiedGroups
{
    private readonly (string[] Names, int[] ByClass)[] _groups;
    private readonly int[] _totals;
    private readonly int[] _groupsByClass;

    /// <summary>The groups of samples; one without a group is its own.</summary>
    public StratifiedGroups(IReadOnlyList<Sample> samples, int classes, ulong seed)
    {
        (string[] Names, int[] ByClass)[] groups =
        [
            .. samples.GroupBy(sample => sample.Group ?? sample.Name)
                .OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(group => (group.Select(sample => sample.Name).ToArray(), CountByClass(group, classes))),
        ];
        _totals = CountByClass(samples, classes);
        _groupsByClass = [.. Enumerable.Range(0, classes)
            .Select(label => groups.Count(group => group.ByClass[label] > 0))];
        new RandomStream(seed, RandomPurpose.Split).Shuffle(groups.AsSpan());
        // The order is stable, so that groups of equal weight keep their random order.
        _groups = [.. groups.OrderByDescending(group =>
            Enumerable.Range(0, classes).Max(label => Share(group, label)))];
    }

    /// <summary>Number of groups.</summary>
    public int Count => _groups.Length;

    /// <summary>Names of the samples of one fold.</summary>
    /// <param name="folds">Number of folds.</param>
    /// <param name="fold">Index of the fold, from 1.</param>
    public HashSet<string> Fold(int folds, int fold)
    {
        var counts = new int[folds, _totals.Length];
        var sizes = new int[folds];
        var held = new HashSet<string>();
        foreach ((string[] Names, int[] ByClass) group in _groups.Where(group => !IsIndispensable(group)))
        {
            int part = Enumerable.Range(0, folds).MinBy(index => (Load(index), sizes[index], index));
            sizes[part] += group.Names.Length;
            for (int label = 0; label < _totals.Length; label++)
                counts[part, label] += group.ByClass[label];
            if (part == fold - 1)
                held.UnionWith(group.Names);

            // Growth of the sum of squared shares, but for what is the same in all folds.
            double Load(int index) => Enumerable.Range(0, _totals.Length)
                .Sum(label => Share(group, label) * counts[index, label] / Math.Max(1, _totals[label]));
        }
        return held;
    }

    /// <summary>Names of samples that are about a part of each class.</summary>
    /// <param name="fraction">The part, above 0 and below 1.</param>
    public HashSet<string> HoldOut(double fraction)
    {
        var counts = new int[_totals.Length];
        var held = new HashSet<string>();
        foreach ((string[] Names, int[] ByClass) group in _groups.Where(group => !IsIndispensable(group)))
        {
            // A group is taken when that brings the shares nearer to what is wanted.
            double change = Enumerable.Range(0, _totals.Length).Sum(label => Share(group, label)
                * (Share(group, label) + 2 * ((double)counts[label] / Math.Max(1, _totals[label]) - fraction)));
            if (change > 0)
                continue;
            for (int label = 0; label < _totals.Length; label++)
                counts[label] += group.ByClass[label];
            held.UnionWith(group.Names);
        }
        return held;
    }

    /// <summary>Whether a class has no other group, so that training needs this one.</summary>
    private bool IsIndispensable((string[] Names, int[] ByClass) group) =>
        Enumerable.Range(0, _totals.Length).Any(label => group.ByClass[label] > 0 && _groupsByClass[label] == 1);

    private double Share((string[] Names, int[] ByClass) group, int label) =>
        (double)group.ByClass[label] / Math.Max(1, _totals[label]);

    private static int[] CountByClass(IEnumerable<Sample> samples, int classes)
    {
        var counts = new int[classes];
        foreach (Sample sample in samples)
            counts[sample.Label]++;
        return counts;
    }
}
