using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.References;

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
    public void Of_PartSwitchedOff_HasTheGradientOfTheOther([Values] bool modulation, [Values] bool margin)
    {
        const int Batch = 5, Classes = 2, Subclasses = 3, Width = Classes * Subclasses;
        int[] labels = [0, 0, 0, 1, 1];
        // Far from a tie, so that a step of 1e-2 changes no minimum, maximum or nearest descriptor.
        float[] values = [.. Enumerable.Range(0, Batch * Width).Select(i => 0.1f * (i * 7 % Width) + 0.01f * (i % 4))];
        using var device = new CpuDevice(1);
        var objective = new StageLoss(EmptySubclasses.MinusOneNinetyNinth, null,
            new LossSettings { Modulation = modulation, Margin = margin });
        using var prompts = new Metd(new Tensor(device, new Shape(Classes, Subclasses, 1, 4)),
            new DescriptorPrompt([0, 1, 2], 1, 1));
        using Tensor logits = Tensor.From(device, values, new Shape(Batch, Width));
        logits.RequiresGrad = true;
        using (var tape = new Tape(device))
        {
            StepLoss loss = objective.Of(tape, prompts, tape.Scale(logits, 1), labels);
            CliperLossReference.Outcome expected = CliperLossReference.Both(Doubles.Of(values), labels,
                (Classes, Subclasses), EmptySubclasses.MinusOneNinetyNinth, 1, margin ? 1 : 0, modulation);
            // Computed in double and rounded once; losses are below 10.
            Assert.That(loss.Total.Item(), Is.EqualTo(expected.Fine + (margin ? expected.Margin : 0)).Within(2e-6));
            Assert.That(loss.Parts!.ToArray(), Is.EqualTo(new[] { (float)expected.Fine, (float)expected.Margin })
                .Within(1e-6f), "both parts are shown");
            tape.Backward(loss.Total);
            Assert.That(device.ToFloats(logits.Gradient), Is.EqualTo(expected.Gradient.Select(d => (float)d))
                .Within(1e-6f));
            Assert.That(expected.Alpha.All(alpha => alpha == 1), Is.Not.EqualTo(modulation), "the case tells");
        }
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
