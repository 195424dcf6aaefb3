using Cliper.Kernels.Operations;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Training;

public sealed class StageLossTests
{
    [Test]
    public void Targets_WithSmoothing_AreSharesThatAddUpToOne()
    {
        // Captions a, a, b, c: three different ones.
        const float Smoothing = 0.3f;
        float[] targets = ContrastiveLoss.Targets([0, 0, 1, 2], Smoothing);

        float own = 1 - Smoothing + Smoothing / 3, other = Smoothing / 3;
        float[] expected =
        [
            own / 2, own / 2, other, other,
            own / 2, own / 2, other, other,
            other / 2, other / 2, own, other,
            other / 2, other / 2, other, own,
        ];
        Assert.That(targets, Is.EqualTo(expected).Within(1e-7));
        foreach (float[] row in targets.Chunk(4))
            Assert.That(row.Sum(), Is.EqualTo(1).Within(1e-6));
    }

    [Test]
    public void Check_LabelSmoothingOfAStageWithCliperLosses_IsRefused()
    {
        var settings = new TrainSettings
        {
            Weights = "w",
            Stage2 = new StageSettings { Epochs = 1, LearningRate = 1, LabelSmoothing = 0.1f },
        };
        Assert.That(settings.Check, Throws.TypeOf<SettingsException>().With.Message.Contains("stage2.labelSmoothing"));
    }
}
