using Cliper.Kernels.Collectives;

namespace Cliper.Kernels.Tests.Collectives;

public sealed class RankGroupTests
{
    [Test]
    public void Sum_IsInTheOrderOfTheRanks_OnEachOfThem([Values(2, 3, 4)] int size, [Values(1, 5, 1000)] int length)
    {
        float[][] addends = [.. Enumerable.Range(0, size).Select(rank => Numbers(rank, length))];
        float[] expected = [.. addends[0]];
        foreach (float[] addend in addends.Skip(1))
            for (int i = 0; i < length; i++)
                expected[i] += addend[i];

        float[][] sums = ThreadRanks.Run(size, ranks =>
        {
            float[] values = [.. addends[ranks.Rank]];
            ranks.Sum(values);
            return values;
        });

        Assert.That(sums, Has.All.EqualTo(expected));
    }

    [Test]
    public void Gather_TakesEachRanksOwnNumber()
    {
        (int[] All, int[] Counts)[] gathered = ThreadRanks.Run(3, ranks =>
        {
            int[] own = [.. Enumerable.Repeat(ranks.Rank, 2 * ranks.Rank)];
            return (ranks.Gather<int>(own, out int[] counts), counts);
        });

        foreach ((int[] all, int[] counts) in gathered)
        {
            Assert.That(counts, Is.EqualTo(new[] { 0, 2, 4 }));
            Assert.That(all, Is.EqualTo(new[] { 1, 1, 2, 2, 2, 2 }));
        }
    }

    [Test]
    public void Broadcast_GivesWhatRank0Has_AndAnyHearsEachRank()
    {
        (byte[] Given, bool One, bool None)[] results = ThreadRanks.Run(3, ranks =>
            (ranks.Broadcast([(byte)(7 + ranks.Rank), 8]), ranks.Any(ranks.Rank == 2), ranks.Any(false)));

        foreach ((byte[] given, bool one, bool none) in results)
            Assert.That((given[0], given.Length, one, none), Is.EqualTo((7, 2, true, false)));
    }

    [Test]
    public void Alone_EveryCallGivesBackItsOwn()
    {
        float[] values = [1, 2];
        RankGroup.Alone.Sum(values);

        Assert.That(values, Is.EqualTo(new[] { 1f, 2 }));
        Assert.That(RankGroup.Alone.Gather<float>(values, out int[] counts), Is.EqualTo(values));
        Assert.That(counts, Is.EqualTo(new[] { 2 }));
        Assert.That(RankGroup.Alone.Broadcast([3]), Is.EqualTo(new byte[] { 3 }));
    }

    private static float[] Numbers(int seed, int count)
    {
        var random = new Random(seed);
        // Numbers of different sizes, whose sum depends on the order.
        return [.. Enumerable.Range(0, count)
            .Select(_ => (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(6)))];
    }
}
