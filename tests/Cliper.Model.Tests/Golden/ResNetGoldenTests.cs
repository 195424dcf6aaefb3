using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>
/// A CLIP with a ResNet against PyTorch, in inference ("eval.") and with the statistics of the batch ("train."): every
/// bottleneck, the features, the logits, a loss, its gradients, and the running statistics after the pass.
/// </summary>
/// <remarks>
/// The same passes in single and in double precision, both in PyTorch, differ by up to 3.6e-6 of an activation's
/// largest entry, 5e-6 of a logit's, and 7e-6 of the norm of a gradient with the batch's statistics (three sets). With
/// running statistics the features of all images are nearly alike (cosines above 0.99), gradients are what is left of
/// sums that cancel, and a ReLU whose input is within rounding of zero passes its gradient on one side alone: 1.1e-3 of
/// the norm. PyTorch adds the rows of a BatchNorm in double precision, this program in single: another u sqrt(rows),
/// u = 2^-24, for at most 4 x 48 x 48 rows. The two sides compared here err each by as much, in other directions: four
/// times that is allowed.
/// </remarks>
public sealed class ResNetGoldenTests : GoldenTests
{
    private const string Eval = "eval.", Train = "train.", Activation = "act.image.", Gradient = "grad.";
    private const string KeyWeight = "visual.attnpool.k_proj.weight", KeyBias = "visual.attnpool.k_proj.bias";
    private const double ActivationBound = 4 * 3.6e-6, LogitsBound = 4 * 5e-6,
        TrainingGradientBound = 4 * (7e-6 + 96.0 / (1 << 24)), InferenceGradientBound = 4 * 1.1e-3;

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.ResNet))]
    public void EveryBlockAndTheFeaturesAgree(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(Device, weights);
        foreach (bool training in new[] { false, true })
        {
            string mode = training ? Train : Eval;
            model.Vision.IsTraining = training;
            var seen = new HashSet<string>();
            using var tape = new Tape(Device, recording: false);
            using Tensor images = Images(golden);
            Tensor features = model.Vision.Forward(tape, images, (name, value) =>
            {
                string key = mode + Activation + name;
                seen.Add(key);
                GoldenSet.AssertRelativelyClose(InPlanes(value), golden.ReadFloats(key), ActivationBound, key);
            });
            GoldenSet.AssertRelativelyClose(features.ToArray(), golden.ReadFloats(mode + "output.image_features"),
                ActivationBound, mode + "image features");
            Tensor texts = model.Text.Forward(tape, Ids(golden));
            GoldenSet.AssertRelativelyClose(texts.ToArray(), golden.ReadFloats(mode + "output.text_features"),
                ActivationBound, mode + "text features");
            Assert.That(seen, Is.EquivalentTo(golden.Tensors.Keys.Where(name =>
                name.StartsWith(mode + "act.", StringComparison.Ordinal))), "activations that were compared");
        }
    }

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.ResNet))]
    public void InferenceGradientsAgree(GoldenSet set) => CheckGradients(set, training: false, recomputes: false);

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.ResNet))]
    public void TrainingGradientsAndRunningStatisticsAgree(GoldenSet set) =>
        CheckGradients(set, training: true, recomputes: false);

    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.ResNet))]
    public void TheyAgreeWhenBlocksAreComputedAgain(GoldenSet set) =>
        CheckGradients(set, training: true, recomputes: true);

    private void CheckGradients(GoldenSet set, bool training, bool recomputes)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        using var model = new ClipModel(Device, weights);
        model.Parameters.Train(_ => true);
        model.Vision.IsTraining = training;
        model.Vision.RecomputeBlocks = recomputes;
        string mode = training ? Train : Eval;
        using (var tape = new Tape(Device))
        {
            Tensor logits = model.LogitsPerImage(tape, model.Vision.Forward(tape, tape.Own(Images(golden))),
                model.Text.Forward(tape, Ids(golden)));
            GoldenSet.AssertRelativelyClose(logits.ToArray(), golden.ReadFloats(mode + "output.logits_per_image"),
                LogitsBound, "logits");
            int images = logits.Shape[0];
            Tensor targets = tape.Own(Tensor.From(Device, [.. Enumerable.Range(0, images)], new Shape(images)));
            Tensor squares = tape.Sum(tape.Multiply(logits, logits));
            Tensor loss = tape.Add(tape.SoftmaxCrossEntropy(logits, targets),
                tape.Scale(squares, .1f / logits.Shape.Count));
            GoldenSet.AssertRelativelyClose([loss.Item()], golden.ReadFloats(mode + "output.loss"), LogitsBound,
                "loss");
            tape.Backward(loss);
        }
        string prefix = mode + Gradient;
        string[] names = [.. golden.Tensors.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))
            .Select(name => name[prefix.Length..])];
        Assert.That(names, Is.Not.Empty);
        if (training)
            Assert.That(names, Is.SupersetOf(model.Parameters.Trainable().Select(parameter => parameter.Name)
                .Where(ClipModel.IsVision)));
        double bound = training ? TrainingGradientBound : InferenceGradientBound;
        foreach (string name in names)
        {
            float[] actual = GradientOf(model, name), expected = golden.ReadFloats(prefix + name);
            // A bias of all keys alike shifts all scores of a query: the gradient is zero but for rounding.
            double norm = Norm(name == KeyBias ? GradientOf(model, KeyWeight) : expected);
            double error = Norm([.. actual.Zip(expected, (a, b) => a - b)]);
            TestContext.Out.WriteLine($"{prefix + name}: {error / norm:E1} of the norm, bound {bound:E1}");
            Assert.That(error, Is.LessThanOrEqualTo(bound * norm), prefix + name);
        }
        foreach (string name in model.Vision.Buffers)
            GoldenSet.AssertRelativelyClose(model.Parameters[name].ToArray(),
                training ? golden.ReadFloats(Train + "after." + name) : weights.Values(name), ActivationBound, name);
    }

    private float[] GradientOf(ClipModel model, string name)
    {
        Tensor parameter = model.Parameters[name];
        using Tensor gradient = Tensor.From(Device, Device.ToFloats(parameter.Gradient), parameter.Shape);
        return ConvolutionLayout.ToFile(model.Config, name, gradient).Values;
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(value => (double)value * value));

    private Tensor Images(TensorSource golden) => Tensor.From(Device, golden.ReadFloats("input.pixel_values"),
        new Shape([.. golden.Entry("input.pixel_values").Shape.Select(axis => (int)axis)]));

    private static int[][] Ids(TensorSource golden) => [.. golden.ReadIntegers("input.token_ids").Select(id => (int)id)
        .Chunk((int)golden.Entry("input.token_ids").Shape[1])];

    /// <summary>The elements of a feature map as [N, C, H, W].</summary>
    private static float[] InPlanes(Tensor map)
    {
        Shape shape = map.Shape;
        int pixels = shape[1] * shape[2], channels = shape[3];
        float[] values = map.ToArray();
        var planes = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
            planes[(i / (pixels * channels) * channels + i % channels) * pixels + i / channels % pixels] = values[i];
        return planes;
    }
}
