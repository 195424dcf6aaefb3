using Cliper.Kernels.Operations;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>A sample at its position in an epoch.</summary>
/// <param name="Epoch">Number of the epoch.</param>
/// <param name="Index">Index in the split.</param>
/// <param name="Key">
/// Key of the random numbers: the index, plus the number of samples for each earlier occurrence in the epoch.
/// </param>
internal readonly record struct EpochSample(uint Epoch, int Index, uint Key);

/// <summary>Orders the samples of an epoch.</summary>
internal static class EpochOrder
{
    /// <summary>The samples of an epoch, ordered by <see cref="LoaderOptions.Order"/>.</summary>
    public static EpochSample[] Create(DataSplit split, LoaderOptions options, int epoch)
    {
        int count = split.Samples.Count;
        var random = new RandomStream(options.Seed, RandomPurpose.Shuffle, (uint)epoch);
        if (options.Order == SampleOrder.Balanced)
            return CreateBalanced(split, (uint)epoch, ref random);
        int[] order = [.. Enumerable.Range(0, count)];
        if (options.Order == SampleOrder.Shuffled)
            random.Shuffle(order.AsSpan());
        return Array.ConvertAll(order, index => new EpochSample((uint)epoch, index, (uint)index));
    }

    private static EpochSample[] CreateBalanced(DataSplit split, uint epoch, ref RandomStream random)
    {
        int count = split.Samples.Count;
        int[][] classes =
        [
            .. Enumerable.Range(0, count).GroupBy(index => split.Samples[index].Label).OrderBy(group => group.Key)
                .Select(group => group.ToArray()),
        ];
        foreach (int[] members in classes)
            random.Shuffle(members.AsSpan());
        var order = new EpochSample[count];
        for (int i = 0; i < count; i++)
        {
            int[] members = classes[i % classes.Length];
            int turn = i / classes.Length;
            int index = members[turn % members.Length];
            order[i] = new EpochSample(epoch, index, (uint)(index + turn / members.Length * count));
        }
        random.Shuffle(order.AsSpan());
        return order;
    }
}
