using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

public sealed class ClipInitializationTests
{
    private static ClipConfig Config(int image, int patch, int width) => new ClipConfig
    {
        EmbedSize = 16,
        ImageSize = image,
        PatchSize = patch,
        VisionWidth = width,
        VisionLayers = 1,
        VisionHeads = 1,
        TextWidth = 16,
        TextLayers = 1,
        TextHeads = 1,
        ContextLength = 8,
        VocabularySize = 20,
    };

    // A plane wave of frequency (a, b) of the cosine transform draws from random filters an answer whose variance is
    // the square of the frequency's weight.
    [Test]
    public void PatchFiltersAnswerByFrequency([Values(4, 6, 8)] int patch)
    {
        const int Width = 4096;
        using ClipWeights weights = ClipWeights.Random(Config(2 * patch, patch, Width), 3);
        float[] filters = weights.Values("visual.conv1.weight");
        foreach ((int a, int b) in new[] { (0, 0), (0, 1), (1, 1), (2, 1), (patch / 2, 0), (patch - 1, 0),
            (patch - 1, patch - 1) })
        {
            double sum = 0;
            for (int filter = 0; filter < 3 * Width; filter++)
            {
                double answer = 0;
                for (int y = 0; y < patch; y++)
                    for (int x = 0; x < patch; x++)
                        answer += filters[(filter * patch + y) * patch + x] * Wave(y, a) * Wave(x, b);
                sum += answer * answer;
            }
            double frequency = Math.Sqrt(a * a + b * b);
            double weight = frequency > .75 * patch ? 0 : Math.Max(.5, frequency);
            double expected = weight * .5 / patch;
            // Five deviations of a variance over n normals, as in the test of the other tensors, and the rounding of
            // fp32.
            Assert.That(sum / (3 * Width), Is.EqualTo(expected * expected)
                .Within(5 * Math.Sqrt(2.0 / (3 * Width)) * expected * expected + 1e-12), $"{a}, {b}");
        }

        double Wave(int x, int frequency) => Math.Sqrt((frequency == 0 ? 1.0 : 2.0) / patch)
            * Math.Cos(Math.PI * (x + .5) * frequency / patch);
    }

    [Test]
    public void PositionsTellNeighborsFromOthers([Values(8, 30, 192)] int width)
    {
        const int Side = 5;
        using ClipWeights weights = ClipWeights.Random(Config(Side * 4, 4, width), 3),
            other = ClipWeights.Random(Config(Side * 4, 4, width), 4);
        float[] positions = weights.Values("visual.positional_embedding");
        Assert.That(positions, Has.Length.EqualTo((1 + Side * Side) * width));
        // Waves of all quarters, whatever the seed; the class token and what four does not divide are random.
        int waves = width / 4 * 4;
        for (int patch = 1; patch <= Side * Side; patch++)
        {
            Assert.That(Of(other.Values("visual.positional_embedding"), patch)[..waves],
                Is.EqualTo(Of(positions, patch)[..waves]));
            // sin^2 + cos^2 of each of width / 4 waves, by row and by column.
            Assert.That(Of(positions, patch)[..waves].Sum(value => (double)value * value),
                Is.EqualTo(2 * (width / 4) * .49).Within(1e-4));
        }
        Assert.That(Of(other.Values("visual.positional_embedding"), 0), Is.Not.EqualTo(Of(positions, 0)));
        for (int y = 0; y < Side; y++)
            for (int x = 0; x < Side - 2; x++)
            {
                Assert.That(Distance(y, x, y, x + 1), Is.LessThan(Distance(y, x, y, x + 2)), "along a row");
                Assert.That(Distance(x, y, x + 1, y), Is.LessThan(Distance(x, y, x + 2, y)), "along a column");
            }

        float[] Of(float[] all, int token) => all[(token * width)..((token + 1) * width)];

        double Distance(int y0, int x0, int y1, int x1) => Of(positions, 1 + y0 * Side + x0)[..waves]
            .Zip(Of(positions, 1 + y1 * Side + x1), (a, b) => (double)(a - b) * (a - b)).Sum();
    }
}
