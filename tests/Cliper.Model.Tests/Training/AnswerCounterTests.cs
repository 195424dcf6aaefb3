using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Prompts;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Training;

public sealed class AnswerCounterTests
{
    [Test]
    public void RightAnswersAreCountedOverMicroBatches_ByTheRuleOfPredictions()
    {
        using var device = new CpuDevice(1);
        using var counter = new AnswerCounter(device, samples: 4, classes: 2, promptsPerClass: 2);
        // By the mean of a class's prompts: class 1, class 0; class 0.
        float[][] rows = [[9, 0, 5, 5, 3, 3, 0, 5], [1, 1, 0, 0]];
        int[][] labels = [[1, 1], [0]];
        for (int step = 0; step < 2; step++)
        {
            for (int micro = 0; micro < rows.Length; micro++)
            {
                using Tensor logits = Tensor.From(device, rows[micro], new Shape(labels[micro].Length, 4));
                counter.Queue(logits);
                counter.Add(labels[micro]);
            }
            Assert.That(counter.Take(), Is.EqualTo(2), $"step {step}");
        }
        Assert.That(rows[0].Chunk(4).Append(rows[1]).Select(row => Prediction.FromLogits(row, 2).Class),
            Is.EqualTo(new[] { 1, 0, 0 }));
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void AScoreThatIsNoNumber_IsNoAnswer(float score) =>
        Assert.That(() => Prediction.FromLogits([1, score], 1),
            Throws.InstanceOf<InputException>().With.Message.Contains("not a finite number"));
}
