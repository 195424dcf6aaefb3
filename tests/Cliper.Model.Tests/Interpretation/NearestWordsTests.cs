using Cliper.Model.Interpretation;

namespace Cliper.Model.Tests.Interpretation;

public class NearestWordsTests
{
    private static readonly float[] Table = [0, 0, 3, 4, 1, 0, -1, 0];
    private static readonly string[] Words = ["origin", "far", "east", "west"];

    [Test]
    public void NearestFirstWithEuclideanDistances()
    {
        IReadOnlyList<NearestWord> found = NearestWords.Find(Table, 2, [3, 3], id => Words[id], 3)[0];
        Assert.That(found.Select(hit => hit.Word), Is.EqualTo(new[] { "far", "east", "origin" }));
        Assert.That(found[0].Distance, Is.EqualTo(1));
        Assert.That(found[1].Distance, Is.EqualTo(MathF.Sqrt(13)).Within(1e-6f)); // two roundings of a number near 4
    }

    [Test]
    public void AtEqualDistanceTheLowerIdWins()
    {
        IReadOnlyList<NearestWord> found = NearestWords.Find(Table, 2, [0, 0], id => Words[id], 2)[0];
        Assert.That(found.Select(hit => hit.Id), Is.EqualTo(new[] { 0, 2 }));
    }

    [Test]
    public void ManyVectorsAgreeWithPlainLoops([Values(1, 7)] int width)
    {
        var random = new Random(3);
        float[] table = [.. Enumerable.Range(0, 53 * width).Select(_ => (float)random.NextDouble())];
        float[] vectors = [.. Enumerable.Range(0, 37 * width).Select(_ => (float)random.NextDouble())];
        var found = NearestWords.Find(table, width, vectors, id => $"{id}", 5);
        Assert.That(found, Has.Count.EqualTo(37));
        for (int row = 0; row < 37; row++)
        {
            double Distance(int id) => Math.Sqrt(Enumerable.Range(0, width)
                .Sum(i => Math.Pow(table[(id * width) + i] - (double)vectors[(row * width) + i], 2)));
            double[] expected = [.. Enumerable.Range(0, 53).Select(Distance).Order().Take(5)];
            for (int place = 0; place < 5; place++) // fp32 sums of at most seven terms below 1
                Assert.That(found[row][place].Distance, Is.EqualTo(expected[place]).Within(1e-5));
        }
    }

    [Test]
    public void ExcludedTokensAndNaNAreLeftOut()
    {
        var found = NearestWords.Find(Table, 2, [3, 4, float.NaN, 0], id => Words[id], 9, id => id != 1);
        Assert.That(found[0].Select(hit => hit.Word), Is.EqualTo(new[] { "east", "origin", "west" }));
        Assert.That(found[1], Is.Empty);
    }

    [Test]
    public void RaggedRowsAreRefused() =>
        Assert.That(() => NearestWords.Find(Table, 3, [1, 2, 3], id => Words[id], 1), Throws.ArgumentException);
}
