using Cliper.Kernels.Operations;

namespace Cliper.Model.Samples;

/// <summary>A few training samples of each class.</summary>
internal static class FewShots
{
    // Distinct from the streams that hold samples out.
    private const uint ShotsStep = 0x53484F54;

    /// <summary>The split with some samples of each class, in their order; a class with fewer keeps all. The same seed
    /// chooses the same samples, and more of them contain the fewer.</summary>
    /// <param name="split">The split.</param>
    /// <param name="shots">Samples of each class; 0 for all.</param>
    /// <param name="seed">Seed of the choice.</param>
    public static DataSplit Of(DataSplit split, int shots, ulong seed)
    {
        if (shots == 0)
            return split;
        HashSet<string> chosen = [];
        foreach (IGrouping<int, Sample> samples in split.Samples.GroupBy(sample => sample.Label))
        {
            string[] names = [.. samples.Select(sample => sample.Name).Order(StringComparer.Ordinal)];
            var random = new RandomStream(seed, RandomPurpose.Split, ShotsStep, (uint)samples.Key);
            random.Shuffle(names.AsSpan());
            chosen.UnionWith(names.Take(shots));
        }
        return new DataSplit(split.Name, split.Classes,
            [.. split.Samples.Where(sample => chosen.Contains(sample.Name))]);
    }
}
