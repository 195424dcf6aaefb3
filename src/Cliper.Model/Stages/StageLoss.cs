using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Prompts;

namespace Cliper.Model.Stages;

/// <summary>CLIPER's objective of stages 1 and 2: fine-grained cross-entropy plus margin loss.</summary>
internal static class StageLoss
{
    /// <summary>The loss of a batch and its two parts.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="prompts">Gives the numbers of classes and of prompts, K and M.</param>
    /// <param name="logits">[B, K * M], from <see cref="CliperModel.Logits"/>.</param>
    /// <param name="labels">Class index of each sample.</param>
    /// <param name="rule">Weight of a subclass that no sample of the batch is nearest to.</param>
    public static StepLoss Of(Tape tape, IPromptLearner prompts, Tensor logits, ReadOnlySpan<int> labels,
        EmptySubclasses rule)
    {
        Tensor onDevice = tape.Own(Tensor.From(tape.Device, labels, new Shape(labels.Length)));
        Tensor losses = tape.CliperLoss(logits, onDevice, prompts.Classes, prompts.PromptsPerClass, rule);
        return new StepLoss(tape.Sum(losses), losses);
    }
}
