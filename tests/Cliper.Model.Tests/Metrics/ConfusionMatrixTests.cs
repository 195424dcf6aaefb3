using Cliper.Model.Metrics;

namespace Cliper.Model.Tests.Metrics;

public class ConfusionMatrixTests
{
    private const double Exact = 1e-15;

    /// <summary>
    /// Rows by true class: sad 3 of 4 right, happy 1 of 1, fear none present but predicted once, calm absent.
    /// </summary>
    private static ConfusionMatrix Example()
    {
        var matrix = new ConfusionMatrix(["sad", "happy", "fear", "calm"]);
        matrix.Add(0, 0, 3);
        matrix.Add(0, 2);
        matrix.Add(1, 1);
        return matrix;
    }

    [Test]
    public void WarIsAccuracyAndUarTheMeanRecallOfClassesPresent()
    {
        ConfusionMatrix matrix = Example();
        Assert.That(matrix.Samples, Is.EqualTo(5));
        Assert.That(matrix.Correct, Is.EqualTo(4));
        Assert.That(matrix.War, Is.EqualTo(4 / 5.0).Within(Exact));
        Assert.That(matrix.Uar, Is.EqualTo((0.75 + 1) / 2).Within(Exact));
    }

    [Test]
    public void ScoresOfAClassByHand()
    {
        ConfusionMatrix matrix = Example();
        Assert.That(matrix.Score(0), Is.EqualTo(new ClassScore("sad", 4, 0.75, 1, 6 / 7.0)));
        Assert.That(matrix.Score(1), Is.EqualTo(new ClassScore("happy", 1, 1, 1, 1)));
        Assert.That(matrix.Score(2), Is.EqualTo(new ClassScore("fear", 0, null, 0, 0)));
        Assert.That(matrix.Score(3), Is.EqualTo(new ClassScore("calm", 0, null, null, null)));
        Assert.That(matrix.MacroF1, Is.EqualTo(((6 / 7.0) + 1 + 0) / 3).Within(Exact));
    }

    [Test]
    public void NothingCountedHasNoScores()
    {
        var matrix = new ConfusionMatrix(["a", "b"]);
        Assert.That(matrix.War, Is.Null);
        Assert.That(matrix.Uar, Is.Null);
        Assert.That(matrix.MacroF1, Is.Null);
    }

    [Test]
    public void RowsAreTrueClasses()
    {
        Assert.That(Example().ToRows()[0], Is.EqualTo(new long[] { 3, 0, 1, 0 }));
        Assert.That(Example().ActualCount(0), Is.EqualTo(4));
        Assert.That(Example().PredictedCount(2), Is.EqualTo(1));
    }

    [Test]
    public void PartsAddUp()
    {
        ConfusionMatrix sum = Example();
        sum.Add(Example());
        Assert.That(sum.Samples, Is.EqualTo(10));
        Assert.That(sum[0, 2], Is.EqualTo(2));
        Assert.That(() => sum.Add(new ConfusionMatrix(["sad"])), Throws.ArgumentException);
    }

    [TestCase(-1, 0)]
    [TestCase(0, -1)]
    [TestCase(4, 0)]
    [TestCase(0, 4)]
    public void AnIndexOutsideTheClassesIsRefused(int actual, int predicted)
    {
        ConfusionMatrix matrix = Example();
        Assert.That(() => matrix.Add(actual, predicted), Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(matrix.Samples, Is.EqualTo(5));
    }

    [Test]
    public void AMatrixNeedsClasses() =>
        Assert.That(() => new ConfusionMatrix([]), Throws.InstanceOf<ArgumentException>());
}
