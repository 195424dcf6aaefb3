using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests.SyntheticFaces;

public class FaceRendererTests
{
    private static byte[] Render(FaceRenderer renderer, FaceParameters face, int size)
    {
        byte[] pixels = new byte[size * size * 3];
        renderer.Render(face, pixels);
        return pixels;
    }

    [TestCase(16)]
    [TestCase(48)]
    [TestCase(63)]
    public void EqualParametersGiveEqualImagesWhateverWasPaintedBefore(int size)
    {
        using var used = new FaceRenderer(size);
        for (int index = 0; index < 40; index++)
        {
            FaceParameters face = FaceParameters.Random(11, index);
            using var fresh = new FaceRenderer(size);
            Assert.That(Render(used, face, size), Is.EqualTo(Render(fresh, FaceParameters.Random(11, index), size)));
        }
    }

    [Test]
    public void AFaceDependsOnItsSeedAndIndexAlone()
    {
        FaceParameters face = FaceParameters.Random(5, 17);
        Assert.That(FaceParameters.Random(5, 17), Is.EqualTo(face));
        Assert.That(FaceParameters.Random(5, 18), Is.Not.EqualTo(face));
        Assert.That(FaceParameters.Random(6, 17), Is.Not.EqualTo(face));
        Assert.That(FaceParameters.Random(5, 17, FaceExpression.Fear).Expression, Is.EqualTo(FaceExpression.Fear));
    }

    /// <summary>Each action unit must be visible: at 48 pixels, and with nothing but the unit changed.</summary>
    [TestCaseSource(nameof(SingleUnits))]
    public void EveryActionUnitChangesTheImage(ActionUnits units)
    {
        const int Size = 48;
        var still = new FaceParameters { Expression = FaceExpression.Neutral, Intensity = 0, Units = default };
        using var renderer = new FaceRenderer(Size);
        byte[] rest = Render(renderer, still, Size);
        byte[] moved = Render(renderer, still with { Units = units }, Size);
        int changed = rest.Zip(moved).Count(pair => Math.Abs(pair.First - pair.Second) > 16);
        Assert.That(changed, Is.GreaterThan(20));
    }

    private static IEnumerable<ActionUnits> SingleUnits() =>
    [
        new() { InnerBrowRaise = 1 }, new() { OuterBrowRaise = 1 }, new() { BrowLower = 1 }, new() { LidRaise = 1 },
        new() { LidRaise = -0.6f }, new() { CheekRaise = 1 }, new() { LidTighten = 1 }, new() { NoseWrinkle = 1 },
        new() { UpperLipRaise = 1 }, new() { CornerUp = 1 }, new() { CornerDown = 1 }, new() { ChinRaise = 1 },
        new() { LipStretch = 1 }, new() { LipPress = 1 }, new() { MouthOpen = 1 },
    ];

    [Test]
    public void ExpressionsAreStrongerWithIntensityAndNeutralFacesAreAtRest()
    {
        float MeanSmile(float low, float high)
        {
            float sum = 0;
            int count = 0;
            for (int index = 0; index < 4000; index++)
                if (FaceParameters.Random(2, index, FaceExpression.Happiness) is var face && face.Intensity >= low
                    && face.Intensity < high)
                {
                    sum += face.Units.CornerUp;
                    count++;
                }
            return sum / count;
        }

        Assert.That(MeanSmile(0.9f, 1.1f), Is.GreaterThan(1.6f * MeanSmile(0.3f, 0.5f)));
        float[] calm =
            [.. Enumerable.Range(0, 500).Select(i =>
            FaceParameters.Random(2, i, FaceExpression.Neutral).Units.CornerUp)];
        Assert.That(calm.Average(), Is.EqualTo(0).Within(0.05));
    }

    [Test]
    public void TheSevenExpressionsComeEquallyOften()
    {
        const int Count = 7000;
        int[] counts = new int[FaceExpressions.Count];
        for (int index = 0; index < Count; index++)
            counts[(int)FaceParameters.Random(1, index).Expression]++;
        // Binomial: deviation sqrt(7000 * 1/7 * 6/7) = 29; five of them.
        Assert.That(counts, Is.All.InRange(1000 - 147, 1000 + 147));
    }

    [Test]
    public void ABufferOfTheWrongLengthAndATinyImageAreRefused()
    {
        using var renderer = new FaceRenderer(16);
        Assert.That(() => renderer.Render(FaceParameters.Random(0, 0), new byte[10]),
            Throws.InstanceOf<ArgumentException>());
        Assert.That(() => new FaceRenderer(15), Throws.InstanceOf<ArgumentException>());
    }
}
