using System.Text.Json;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>The base of the methods' golden tests: tensors of a file, and its own bounds.</summary>
/// <remarks>
/// A file's metadata "spread" has the largest difference between the reference in single and in double precision,
/// relative to the tensor's largest entry. The two sides compared here err each by as much, in other directions and
/// other orders of summation: eight times that is allowed.
/// </remarks>
public abstract class MethodGoldenTests : GoldenTests
{
    private const double Factor = 8;

    // Ids of the reference files that are no tokens of a name.
    private protected const int StandIn = 20, FullStop = 9;

    private protected static void AssertAgrees(TensorSource golden, string spread, float[] actual, string tensor) =>
        AssertAgrees(golden, spread, actual, golden.ReadFloats(tensor), tensor);

    private protected static void AssertAgrees(TensorSource golden, string spread, float[] actual, float[] expected,
        string what)
    {
        using var spreads = JsonDocument.Parse(golden.Metadata["spread"]);
        GoldenSet.AssertRelativelyClose(actual, expected,
            Factor * spreads.RootElement.GetProperty(spread).GetDouble(), what);
    }

    private protected static int[] Integers(TensorSource golden, string name) =>
        [.. golden.ReadIntegers(name).Select(value => (int)value)];

    private protected static int[][] Rows(TensorSource golden, string name)
    {
        int width = (int)golden.Entry(name).Shape[^1];
        return [.. Integers(golden, name).Chunk(width)];
    }

    /// <summary>Token ids of the class names, without the filling.</summary>
    private protected static int[][] Names(TensorSource golden) =>
        [.. Rows(golden, "names").Select(row => row.TakeWhile(id => id >= 0).ToArray())];

    private protected static ContextPrompts.Marks MarksOf(ClipConfig config) =>
        new(config.VocabularySize - 2, StandIn, FullStop, config.VocabularySize - 1);

    private protected Tensor Read(TensorSource golden, string name) => Tensor.From(Device, golden.ReadFloats(name),
        new Shape([.. golden.Entry(name).Shape.Select(size => (int)size)]));

    /// <summary>The pictures of a step, on a tape.</summary>
    private protected Tensor Images(Tape tape, TensorSource golden, int step)
    {
        int[] shape = [.. golden.Entry("images").Shape.Skip(1).Select(size => (int)size)];
        int values = shape.Aggregate(1, (product, size) => product * size);
        return tape.Own(Tensor.From(Device, golden.ReadFloats("images").AsSpan(step * values, values),
            new Shape(shape)));
    }

    private protected Tensor Labels(Tape tape, TensorSource golden, int step)
    {
        int[] labels = Rows(golden, "labels")[step];
        return tape.Own(Tensor.From(Device, labels, new Shape(labels.Length)));
    }

    /// <summary>Takes a step on each batch of the file and returns the losses before them.</summary>
    private protected float[] Train(TensorSource golden, CliperModel model, Sgd optimizer)
    {
        float[] rates = golden.ReadFloats("lrs");
        var losses = new float[rates.Length];
        for (int step = 0; step < rates.Length; step++)
        {
            using var tape = new Tape(Device);
            Tensor loss = LossOf(tape, golden, model, step);
            losses[step] = loss.Item();
            tape.Backward(loss);
            optimizer.Step(rates[step]);
            optimizer.ClearGradients();
        }
        return losses;
    }

    private protected Tensor LossOf(Tape tape, TensorSource golden, CliperModel model, int step) =>
        tape.SoftmaxCrossEntropy(model.Logits(tape, model.ImageFeatures(tape, Images(tape, golden, step)),
            model.ClassFeatures(tape)), Labels(tape, golden, step));

    private protected static Sgd OptimizerOf(TensorSource golden, IPromptLearner prompts)
    {
        var optimizer = new Sgd(golden.ReadFloats("momentum")[0]);
        optimizer.AddGroup(prompts.Parameters, golden.ReadFloats("weight_decay")[0]);
        return optimizer;
    }

    private protected static CliperModel Model(ClipModel clip, IPromptLearner prompts) => new(clip, prompts,
        [.. Enumerable.Range(0, prompts.Classes).Select(label => $"class {label}")], clip.Temperature);
}
