using Cliper.Model.Interpretation;

namespace Cliper.Model.Tests.Interpretation;

public sealed class MutualInformationTests
{
    [Test]
    public void Bits_OfEqualVariables_IsTheEntropy()
    {
        Assert.That(MutualInformation.Bits([0, 0, 1, 1], [1, 1, 0, 0]), Is.EqualTo(1).Within(1e-12));
        Assert.That(MutualInformation.Bits([0, 1, 2, 3], [0, 1, 2, 3]), Is.EqualTo(2).Within(1e-12));
    }

    [Test]
    public void Bits_OfIndependentVariables_IsZero() =>
        Assert.That(MutualInformation.Bits([0, 0, 1, 1], [0, 1, 0, 1]), Is.Zero.Within(1e-12));

    [Test]
    public void Bits_OfTwoByTwoCounts_AgreesWithHandComputation()
    {
        // Counts 3 1 / 1 3: 2 * 3/8 log2(3/8 / (1/2 * 1/2)) + 2 * 1/8 log2(1/8 / (1/2 * 1/2)).
        double expected = 0.75 * Math.Log2(1.5) + 0.25 * Math.Log2(0.5);

        Assert.That(MutualInformation.Bits([0, 0, 0, 0, 1, 1, 1, 1], [0, 0, 0, 1, 0, 1, 1, 1]),
            Is.EqualTo(expected).Within(1e-12));
    }

    [Test]
    public void Measure_WeighsGroups_AndStandsAboveItsShuffles()
    {
        // In group 0 the descriptor is the trait, one bit; in group 1 it never changes, no bit.
        int[] groups = [.. Enumerable.Repeat(0, 40), .. Enumerable.Repeat(1, 20)];
        int[] trait = [.. Enumerable.Range(0, 60).Select(i => i % 2)];
        int[] descriptors = [.. Enumerable.Range(0, 60).Select(i => i < 40 ? i % 2 : 3)];

        Information found = MutualInformation.Measure(descriptors, trait, groups, groups, shuffles: 200, seed: 7);

        Assert.That(found.Bits, Is.EqualTo(40.0 / 60).Within(1e-12));
        Assert.That(found.Entropy, Is.EqualTo(1).Within(1e-12));
        Assert.That(found.Percentile, Is.EqualTo(1));
        Assert.That(found.Shuffled, Is.LessThan(found.Limit).And.Positive);
        Assert.That(MutualInformation.Measure(descriptors, trait, groups, groups, 200, 7), Is.EqualTo(found));
        Assert.That(MutualInformation.Measure(descriptors, trait, groups, groups, 200, 8), Is.Not.EqualTo(found));
    }

    [Test]
    public void Measure_OfAnUnrelatedTrait_StandsAmongItsShuffles()
    {
        var random = new Random(5);
        int[] descriptors = [.. Enumerable.Range(0, 400).Select(_ => random.Next(5))];
        int[] trait = [.. Enumerable.Range(0, 400).Select(_ => random.Next(4))], groups = new int[400];

        Information found = MutualInformation.Measure(descriptors, trait, groups, groups, shuffles: 500, seed: 1);

        // The bias of the estimate is about (5 - 1)(4 - 1) / (2 N ln 2) bits, 0.0216.
        Assert.That(found.Shuffled, Is.EqualTo(0.0216).Within(0.004));
        Assert.That(found.Percentile, Is.InRange(0.01, 0.99));
    }

    [Test]
    public void Measure_ShufflesWithinBlocksAlone()
    {
        // Blocks of one sample leave every trait where it is: no shuffle is below the measured value.
        int[] values = [0, 1, 0, 1], groups = new int[4];

        Information found = MutualInformation.Measure(values, values, groups, [0, 1, 2, 3], shuffles: 20, seed: 0);

        Assert.That((found.Bits, found.Shuffled, found.Percentile), Is.EqualTo((1.0, 1.0, 0.0)));
    }
}
