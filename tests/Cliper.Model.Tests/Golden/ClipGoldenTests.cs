using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>Both encoders against PyTorch: every block, the features, the logits, a loss, and its gradient by every
/// weight.</summary>
/// <remarks>
/// Bounds are relative to the largest entry of a tensor. Both sides round in fp32, unit roundoff u = 2^-24. A sum of K
/// products errs by a standard deviation of at most u sqrt(K) of its size, K at most 4 x width (the MLP's way down). A
/// block adds four such sums in a row, and one comes before the first block; the errors of all and of both sides are
/// independent, so after a block of depth d they make u sqrt(4 width x 4 (d + 1) x 2), of which the largest of some
/// thousand entries is four times as much. Logits are the features' cosines, of size 1 / sqrt(embed) for random
/// directions, times s = exp(logit_scale): the features' error times s / sqrt(embed) goes into the softmax of the loss
/// and so into every gradient, to which the way back adds as much again.
/// </remarks>
public sealed class ClipGoldenTests : GoldenTests
{
    private const string ImageActivation = "act.image.", TextActivation = "act.text.", Gradient = "grad.";
    private const double Roundoff = 1.0 / (1 << 24);

    private static double Bound(int width, int depth) => 4 * Roundoff * Math.Sqrt(4.0 * width * 4 * (depth + 1) * 2);

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.Clip))]
    public void EveryBlockAndTheFeaturesAgree(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(Device, weights);
        var seen = new HashSet<string>();
        using var tape = new Tape(Device, recording: false);
        using Tensor images = Images(golden);

        Tensor image = model.Vision.Forward(tape, images, (name, value) => Check(ImageActivation + name, value));
        Tensor text = model.Text.Forward(tape, Ids(golden), (name, value) => Check(TextActivation + name, value));
        CheckFeatures(image, text, "observed ");
        // Without an observer the last blocks compute one token, and the texts run at the length of the longest.
        image = model.Vision.Forward(tape, images);
        text = model.Text.Forward(tape, Ids(golden));
        CheckFeatures(image, text, "");
        // A text alone runs at its own length.
        float[][] alone = [.. Ids(golden).Select(ids => model.Text.Forward(tape, [ids]).ToArray())];
        GoldenSet.AssertRelativelyClose([.. alone.SelectMany(values => values)],
            golden.ReadFloats("output.text_features"),
            Bound(model.Config.TextWidth, model.Config.TextLayers), "texts one by one");

        Assert.That(seen, Is.EquivalentTo(golden.Tensors.Keys.Where(name =>
            name.StartsWith("act.", StringComparison.Ordinal))),
            "activations of the set that were compared");

        void Check(string name, Tensor value)
        {
            ClipConfig config = model.Config;
            bool vision = name.StartsWith(ImageActivation, StringComparison.Ordinal);
            int depth = name.Contains(".block.") ? int.Parse(name[(name.LastIndexOf('.') + 1)..]) + 1
                : !name.Contains(".ln_") || name.EndsWith("ln_pre", StringComparison.Ordinal) ? 0
                : vision ? config.VisionLayers : config.TextLayers;
            seen.Add(name);
            Assert.That(value.Shape.ToArray().Select(axis => (long)axis), Is.EqualTo(golden.Entry(name).Shape), name);
            GoldenSet.AssertRelativelyClose(value.ToArray(), golden.ReadFloats(name),
                Bound(vision ? config.VisionWidth : config.TextWidth, depth), name);
        }

        void CheckFeatures(Tensor image, Tensor text, string how)
        {
            GoldenSet.AssertRelativelyClose(image.ToArray(), golden.ReadFloats("output.image_features"),
                Bound(model.Config.VisionWidth, model.Config.VisionLayers), how + "image features");
            GoldenSet.AssertRelativelyClose(text.ToArray(), golden.ReadFloats("output.text_features"),
                Bound(model.Config.TextWidth, model.Config.TextLayers), how + "text features");
        }
    }

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.Clip))]
    public void LogitsLossAndAllGradientsAgree(GoldenSet set) => CheckGradients(set, recomputeBlocks: false);

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.Clip))]
    public void GradientsAgreeWhenBlocksAreComputedAgain(GoldenSet set) => CheckGradients(set, recomputeBlocks: true);

    private void CheckGradients(GoldenSet set, bool recomputeBlocks)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(Device, weights);
        model.Parameters.Train(_ => true);
        model.Vision.RecomputeBlocks = recomputeBlocks;
        ClipConfig config = model.Config;
        double features = Math.Max(Bound(config.VisionWidth, config.VisionLayers),
            Bound(config.TextWidth, config.TextLayers));
        double logitsBound = features * Math.Exp(weights.Values("logit_scale")[0]) / Math.Sqrt(config.EmbedSize);

        using (var tape = new Tape(Device))
        {
            Tensor logits = model.LogitsPerImage(tape, model.Vision.Forward(tape, tape.Own(Images(golden))),
                model.Text.Forward(tape, Ids(golden)));
            GoldenSet.AssertRelativelyClose(logits.ToArray(), golden.ReadFloats("output.logits_per_image"),
                logitsBound, "logits");
            int images = logits.Shape[0];
            Tensor targets = tape.Own(Tensor.From(Device, [.. Enumerable.Range(0, images)], new Shape(images)));
            Tensor squares = tape.Sum(tape.Multiply(logits, logits));
            Tensor loss = tape.Add(tape.SoftmaxCrossEntropy(logits, targets),
                tape.Scale(squares, .1f / logits.Shape.Count));
            GoldenSet.AssertRelativelyClose([loss.Item()], golden.ReadFloats("output.loss"), logitsBound, "loss");
            tape.Backward(loss);
        }
        foreach (string name in model.Parameters.Names)
            GoldenSet.AssertRelativelyClose(Device.ToFloats(model.Parameters[name].Gradient),
                golden.ReadFloats(Gradient + name),
                2 * logitsBound, Gradient + name);
        Assert.That(golden.Tensors.Keys.Count(name => name.StartsWith(Gradient, StringComparison.Ordinal)),
            Is.EqualTo(model.Parameters.Names.Count), "gradients of the set that were compared");
    }

    private Tensor Images(TensorSource golden) => Tensor.From(Device, golden.ReadFloats("input.pixel_values"),
        new Shape([.. golden.Entry("input.pixel_values").Shape.Select(axis => (int)axis)]));

    private static int[][] Ids(TensorSource golden) => [.. golden.ReadIntegers("input.token_ids").Select(id => (int)id)
        .Chunk((int)golden.Entry("input.token_ids").Shape[1])];
}
