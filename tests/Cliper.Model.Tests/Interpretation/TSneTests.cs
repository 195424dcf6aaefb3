using Cliper.Model.Interpretation;

namespace Cliper.Model.Tests.Interpretation;

public sealed class TSneTests
{
    private const int Width = 6, PerGroup = 20;

    /// <summary>Three far groups.</summary>
    private static float[] Groups()
    {
        var random = new Random(3);
        return [.. Enumerable.Range(0, 3 * PerGroup * Width).Select(at => (float)(random.NextDouble()
            + (at % Width == at / (PerGroup * Width) ? 10 : 0)))];
    }

    [Test]
    public void Shares_AddUpToOne_AreSymmetric_AndHaveThePerplexity()
    {
        float[] rows = Groups();
        int count = rows.Length / Width;
        double[] shares = TSne.Shares(TSne.Distances(rows, Width), count, perplexity: 12);

        Assert.That(shares.Sum(), Is.EqualTo(1).Within(1e-6));
        for (int i = 0; i < count; i++)
            for (int j = 0; j < count; j++)
                Assert.That(shares[i * count + j], Is.EqualTo(shares[j * count + i]));
    }

    [Test]
    public void Shares_OfEquallyFarVectors_AreAlike()
    {
        // The corners of a tetrahedron: each of the 12 ordered pairs has a twelfth.
        double[] shares = TSne.Shares(TSne.Distances([1, 1, 1, 1, -1, -1, -1, 1, -1, -1, -1, 1], 3), 4, perplexity: 1);

        for (int i = 0; i < 4; i++)
            for (int j = 0; j < 4; j++)
                Assert.That(shares[i * 4 + j], Is.EqualTo(i == j ? 0 : 1.0 / 12).Within(1e-9));
    }

    [Test]
    public void FarGroups_StayTogether()
    {
        TSne map = TSne.Of(Groups(), Width, perplexity: 10);
        int count = 3 * PerGroup;

        for (int i = 0; i < count; i++)
        {
            int nearest = Enumerable.Range(0, count).Where(j => j != i).MinBy(j =>
                Math.Pow(map.Points[2 * i] - map.Points[2 * j], 2)
                + Math.Pow(map.Points[2 * i + 1] - map.Points[2 * j + 1], 2));
            Assert.That(nearest / PerGroup, Is.EqualTo(i / PerGroup), $"neighbor of {i}");
        }
        // A third of the pairs shares all of P: 0.9 is far below the log 3 and more of a map without structure.
        Assert.That(map.Divergence, Is.LessThan(0.9).And.GreaterThanOrEqualTo(0));
    }

    [Test]
    public void TheSameVectors_GiveTheSameBits()
    {
        TSne first = TSne.Of(Groups(), Width, 10), second = TSne.Of(Groups(), Width, 10);

        Assert.That(second.Points, Is.EqualTo(first.Points));
    }

    [Test]
    public void TooFewVectors_AreRefused() =>
        Assert.That(() => TSne.Of(new float[3 * Width], Width), Throws.ArgumentException);

    [Test]
    public void PrincipalAxes_OfAPlane_KeepItsDistances()
    {
        // Points of a rectangle of 4 x 2 in the plane of (0.6, 0.8, 0) and (0, 0, 1).
        float[] rows = [0, 0, 0, 2.4f, 3.2f, 0, 0, 0, 2, 2.4f, 3.2f, 2];

        double[] found = PrincipalAxes.Project(rows, 3, axes: 2);

        for (int corner = 0; corner < 4; corner++)
        {
            Assert.That(Math.Abs(found[2 * corner]), Is.EqualTo(2).Within(1e-5), "the longer side first");
            Assert.That(Math.Abs(found[2 * corner + 1]), Is.EqualTo(1).Within(1e-5));
        }
    }
}
