using Cliper.Autograd.Optimizers;

namespace Cliper.Autograd.Tests.Optimizers;

public sealed class WeightAverageTests : TapeTests
{
    private const float Decay = 0.9f;

    [Test]
    public void Update_AfterManySteps_IsTheWeightedMeanOfAllWeights()
    {
        const int Steps = 90;
        Tensor weight = Random([37], 1);
        using var average = new WeightAverage([("w", weight)], Decay);
        double[] expected = [.. weight.ToArray().Select(value => (double)value)];
        for (int step = 0; step < Steps; step++)
        {
            Write(weight, Random([37], step + 2).ToArray());
            average.Update();
            double decay = Math.Min(Decay, (1.0 + step) / (10 + step));
            float[] now = weight.ToArray();
            for (int i = 0; i < expected.Length; i++)
                expected[i] = decay * expected[i] + (1 - decay) * now[i];
        }

        // Each step rounds decay, 1 - decay and two results, 4 units of 2^-24 of numbers below 4; earlier steps' errors
        // fade by the decay, so that ten steps' worth is left.
        Assert.That(average.State.Single().Average.ToArray(), Is.EqualTo(expected).Within(4 * 4 * 10 / 16777216.0));
        Assert.That(average.Steps, Is.EqualTo(Steps));
    }

    [Test]
    public void Exchange_CalledTwice_GivesTheWeightsBackAndMarksThemWritten()
    {
        Tensor weight = Random([11], 1);
        float[] first = weight.ToArray();
        using var average = new WeightAverage([("w", weight)], Decay);
        float[] second = Random([11], 2).ToArray();
        Write(weight, second);
        int version = weight.Version;

        average.Exchange();
        Assert.That(weight.ToArray(), Is.EqualTo(first));
        Assert.That(weight.Version, Is.GreaterThan(version), "packed copies are stale");
        average.Exchange();
        Assert.That(weight.ToArray(), Is.EqualTo(second));
    }

    [Test]
    public void Restore_AverageOfAnotherSize_Throws()
    {
        using var average = new WeightAverage([("w", Random([11], 1))], Decay);
        Assert.That(() => average.Restore(3, _ => new float[10]),
            Throws.ArgumentException.With.Message.Contains("average of 10 elements for w"));
    }

    [Test]
    public void Constructor_NameTwiceOrDecayOutOfRange_Throws()
    {
        Tensor weight = Random([3], 1);
        Assert.That(() => new WeightAverage([("w", weight), ("w", weight)], Decay), Throws.ArgumentException);
        Assert.That(() => new WeightAverage([("w", weight)], 1), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    private static void Write(Tensor tensor, float[] values)
    {
        tensor.Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), tensor.Data);
        tensor.MarkWritten();
    }
}
