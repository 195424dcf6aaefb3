using Cliper.Autograd;
using Cliper.Kernels.Operations;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

/// <summary>
/// CLIPER's objective of stages 1 and 2: fine-grained cross-entropy plus margin loss, of logits that may be adjusted
/// for rare classes (Menon et al. 2021, arXiv 2007.07314, equation 10): tau log p(class) is added to every logit in
/// training alone, so that answers without it are those of classes that are all as frequent.
/// </summary>
/// <param name="rule">Weight of a subclass that no sample of the batch is nearest to.</param>
/// <param name="logPriors">tau log p of each class; null for logits as they are.</param>
/// <param name="parts">Parts of CLIPER's objective; null for plain cross-entropy over the classes, which every other
/// method minimizes.</param>
internal sealed class StageLoss(EmptySubclasses rule, IReadOnlyList<float>? logPriors, LossSettings? parts)
{
    /// <summary>The objective that a run's settings ask for.</summary>
    /// <param name="settings">Settings of the run.</param>
    /// <param name="train">Its training split, for the frequencies; a class without a sample counts as having
    /// one.</param>
    public static StageLoss For(TrainSettings settings, DataSplit train)
    {
        LossSettings? parts = settings.Method.HasDescriptors() ? settings.Loss : null;
        if (settings.LogitAdjustment == 0)
            return new StageLoss(settings.EmptySubclasses, null, parts);
        ILookup<int, Sample> byClass = train.Samples.ToLookup(sample => sample.Label);
        double total = train.Samples.Count;
        return new StageLoss(settings.EmptySubclasses, [.. Enumerable.Range(0, train.Classes.Count).Select(index =>
            (float)(settings.LogitAdjustment * Math.Log(Math.Max(1, byClass[index].Count()) / total)))], parts);
    }

    /// <summary>The loss of a batch and its two parts.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="prompts">Gives the numbers of classes and of prompts, K and M.</param>
    /// <param name="logits">[B, K * M], from <see cref="CliperModel.Logits"/>.</param>
    /// <param name="labels">Class index of each sample.</param>
    public StepLoss Of(Tape tape, IPromptLearner prompts, Tensor logits, ReadOnlySpan<int> labels)
    {
        Tensor onDevice = tape.Own(Tensor.From(tape.Device, labels, new Shape(labels.Length)));
        Tensor answers = logits;
        if (logPriors is not null)
            logits = Adjusted(tape, logits, logPriors, prompts.PromptsPerClass);
        if (parts is null)
            return new StepLoss(tape.SoftmaxCrossEntropy(logits, onDevice), null) { Logits = answers };
        Tensor losses = tape.CliperLoss(logits, onDevice, prompts.Classes, prompts.PromptsPerClass, rule,
            parts.Modulation);
        return new StepLoss(parts.Margin ? tape.Sum(losses) : Fine(tape, losses), losses) { Logits = answers };
    }

    /// <summary>The first of both losses; the other one is shown and not trained.</summary>
    private static Tensor Fine(Tape tape, Tensor losses)
    {
        Tensor first = tape.Own(Tensor.From(tape.Device, [0], new Shape(1)));
        return tape.Gather(losses.Reshape(new Shape(2, 1)), first).Reshape(new Shape(1));
    }

    private static Tensor Adjusted(Tape tape, Tensor logits, IReadOnlyList<float> logPriors, int promptsPerClass)
    {
        int samples = logits.Shape[0], prompts = logits.Shape[1];
        float[] row = [.. Enumerable.Range(0, prompts).Select(prompt => logPriors[prompt / promptsPerClass])];
        Tensor shifts = tape.Own(Tensor.From(tape.Device, row, new Shape(1, prompts)));
        // One row is added to every sequence of one: the broadcast of a row over a batch.
        return tape.AddPositions(logits.Reshape(new Shape(samples, 1, prompts)), shifts)
            .Reshape(new Shape(samples, prompts));
    }
}
