using System.Runtime.InteropServices;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Tests;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;

namespace Cliper.Gpu.Tests;

/// <summary>
/// The whole model on the interpreted GPU, with tensor cores, and on the emulated one, without: encoders, logits and
/// every gradient against PyTorch's tensors in fp32, and against the host for shapes of which there are none; training
/// steps of each stage against the host.
/// </summary>
/// <remarks>
/// A block stores eight results in 16 bits one after the other (two norms, q k v, probabilities, their output, two
/// residual sums, the hidden layer), each off by at most u16 of its size, independently. After d blocks and the
/// embedding a feature, as a vector, is off by at most F = u16 sqrt(8 (d + 1)) of its length (about 0.4 of that is
/// usual: roundings are uniform). The cosine of two features is then off by sqrt(2) F / sqrt(embedding size), as errors
/// have no direction, and a logit by that over the temperature. Probabilities, and with them gradients, change by as
/// much; the way back stores as many numbers as the way there and multiplies with its activations, which adds sqrt(2)
/// F. A tensor is compared as a vector, and its entries by twice the bound of the largest.
/// </remarks>
[TestFixture(false, ElementType.Float16)]
[TestFixture(false, ElementType.BFloat16)]
[TestFixture(true, ElementType.Float16)]
public sealed class WholeModelTests(bool emulated, ElementType stored) : GpuFixture(stored)
{
    private static IEnumerable<TestCaseData> Clip => GoldenSet.Clip.Select(OthersAreLong);

    private static IEnumerable<TestCaseData> Training => GoldenSet.Training.Select(OthersAreLong);

    // Texts and pictures of a few tokens more or less than tiles hold; widths, heads and patches that are no powers of
    // two.
    private static readonly ClipConfig[] OddShapes =
    [
        new()
        {
            ImageSize = 35, PatchSize = 7, VisionWidth = 120, VisionHeads = 3, VisionLayers = 2, TextWidth = 72,
                TextHeads = 3,
            TextLayers = 1, VocabularySize = 77, ContextLength = 21, EmbedSize = 30, Activation = Activation.Gelu,
        },
        new()
        {
            ImageSize = 32, PatchSize = 4, VisionWidth = 64, VisionHeads = 1, VisionLayers = 2, TextWidth = 48,
                TextHeads = 2,
            TextLayers = 2, VocabularySize = 101, ContextLength = 70, EmbedSize = 56,
        },
    ];

    protected override bool Emulated => emulated;

    private double Features(ClipConfig config) =>
        U16 * Math.Sqrt(8.0 * (Math.Max(config.VisionLayers, config.TextLayers) + 1));

    private double Cosines(ClipConfig config) => Math.Sqrt(2) * Features(config) / Math.Sqrt(config.EmbedSize);

    // The largest of n normal errors is about sqrt(2 ln n) of their standard deviation: 2.2 of a dozen, 3.5 of some
    // four hundred.
    private static double Largest(int n) => Math.Max(2, Math.Sqrt(2 * Math.Log(n)));

    private double Gradients(ClipConfig config, double overTemperature) =>
        overTemperature * Cosines(config) + Math.Sqrt(2) * Features(config);

    [TestCaseSource(nameof(Clip))]
    public void FeaturesLogitsAndAllGradientsAgreeWithPyTorch(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenActivations();
        int[][] ids = [.. golden.ReadIntegers("input.token_ids").Select(id => (int)id)
            .Chunk((int)golden.Entry("input.token_ids").Shape[1])];
        Outcome expected = new(golden.ReadFloats("output.image_features"), golden.ReadFloats("output.text_features"),
            golden.ReadFloats("output.logits_per_image"), golden.ReadFloats("output.loss")[0],
            weights.Names.ToDictionary(name => name, name => golden.ReadFloats("grad." + name)));

        AssertAgree(Run(Device, weights, golden.ReadFloats("input.pixel_values"), ids), expected, weights);
    }

    [Test]
    public void FeaturesLogitsAndAllGradientsOfOddShapesAreTheHosts([Range(0, 1)] int shape)
    {
        if (emulated)
            Assert.Ignore("minutes on the emulated device, to which an odd shape is as any");
        using ClipWeights weights = ClipWeights.Random(OddShapes[shape], seed: 5);
        ClipConfig config = weights.Config;
        const int Pairs = 3;
        var random = new Random(6);
        // Texts end at their largest id, at different places.
        int[][] ids =
            [.. Enumerable.Range(0, Pairs).Select(text =>
            (int[])[.. Enumerable.Range(0, config.ContextLength - 2 * text - 1)
            .Select(_ => random.Next(config.VocabularySize - 1)), .. Enumerable.Repeat(config.VocabularySize - 1,
            2 * text + 1)])];
        float[] pixels = Random(Pairs * 3 * config.ImageSize * config.ImageSize, 7, half: false, scale: 2);
        using var host = new CpuDevice(1);

        AssertAgree(Run(Device, weights, pixels, ids), Run(host, weights, pixels, ids), weights);
    }

    /// <remarks>
    /// Both sides take the same two steps of a stage (one on the emulated device and in bf16), after each of which the
    /// host, too, is stepped by the device's gradients: a step's errors do not become the next one's. Descriptors begin
    /// nearly alike (docs/numerics.md), so which of a class is nearest a picture is chance where their logits differ by
    /// less than the errors of 16 bits, and the losses' gradients depend on that choice. So they are compared twice:
    /// with the host's logits of a class in the device's order, which takes away the ties and nothing else; and with
    /// the device's logits in the host's losses, which takes away the temperature's hundredfold of the features'
    /// errors. What is left then are four independent errors of size F (two features in their product, activations, and
    /// gradients on the way back): 2 F, of which twice is allowed, as a vector of few entries is off by more than the
    /// mean. An image's gradient is a sum over the descriptors' features by weights that sum to zero: only their
    /// distances S from their mean count, of which F is the larger part the nearer they are, so that 2 F / S
    /// comes on top in stage 2. It starts from the reference's trained descriptors.
    /// </remarks>
    [TestCaseSource(nameof(Training))]
    public void StepsOfEachStageAreTheHosts(GoldenSet set)
    {
        using ClipWeights weights = set.LoadWeights();
        using TensorSource golden = set.OpenTraining();
        using var host = new CpuDevice(1);
        foreach (bool descriptors in new[] { true, false })
        {
            using Trainee actual = new(Device, golden, weights, descriptors), expected = new(host, golden, weights,
                descriptors);
            double nearness = descriptors ? 0 : 2 * Features(weights.Config) / expected.DescriptorSpread,
                orderedBound = Gradients(weights.Config, 1 / CliperModel.DefaultTemperature) + nearness,
                givenBound = 4 * Features(weights.Config) + nearness;
            // A step takes the emulated device half a minute, and bf16 has nothing new in the second.
            for (int step = 0; step < (emulated || Stored == ElementType.BFloat16 ? 1 : 2); step++)
            {
                Step left = actual.Run(step), plain = expected.Run(step),
                    ordered = expected.Run(step, logits => InOrderOf(left.Logits, logits, actual.Subclasses)),
                    given = expected.Run(step, _ => left.Logits);
                int chances = Nearest(left.Logits, actual.Subclasses).Zip(Nearest(plain.Logits, actual.Subclasses))
                    .Count(pair => pair.First != pair.Second);
                float largest = left.LossScale * left.Gradients.Values.Max(gradient => gradient.Max(Math.Abs));
                TestContext.Out.WriteLine(
                    $"{(descriptors ? "stage 1" : "stage 2")}, step {step}, loss scale {left.LossScale}, largest "
                    + $"scaled gradient {largest:E1}: other descriptors are nearest in {chances} of "
                    + $"{left.Logits.Length / actual.Subclasses}");
                if (Stored == ElementType.BFloat16)
                    Assert.That(left.LossScale, Is.EqualTo(1), "a format of fp32's range needs no scale");
                GoldenSet.AssertClose(left.Logits, plain.Logits,
                    Largest(plain.Logits.Length) * Cosines(weights.Config) / CliperModel.DefaultTemperature, "logits");
                GoldenSet.AssertRelativelyClose(left.Losses, given.Losses, 1e-5, "losses of the same logits");
                Assert.That(left.Gradients.Keys, Is.EquivalentTo(given.Gradients.Keys));
                foreach ((string name, float[] gradient) in left.Gradients)
                {
                    TestContext.Out.WriteLine(
                        $"{name}: off by {Distance(gradient, plain.Gradients[name]):E1} with the host's choice of "
                        + "descriptors");
                    Assert.Multiple(() =>
                    {
                        AssertVector(gradient, ordered.Gradients[name], orderedBound,
                            name + " with the device's order");
                        AssertVector(gradient, given.Gradients[name], givenBound, name + " with the device's logits");
                    });
                }
                actual.Update(left.LossScale);
                expected.Update(left.Gradients);
                // AdamW's arithmetic is fp32 on both sides: roundings of the parameter, and of the approximate root and
                // quotient.
                foreach ((string name, float[] parameter) in actual.Parameters)
                    GoldenSet.AssertClose(parameter, expected.Parameters[name],
                        U32 * (8 * parameter.Max(Math.Abs) + 200 * actual.Rate), name + " after the step");
            }
        }
    }

    // Sets that are not the repository's are larger: minutes on the interpreter.
    internal static TestCaseData OthersAreLong(TestCaseData data) =>
        ((GoldenSet)data.Arguments[0]!).Folder == Path.Combine(SharedFiles.Root, "tests", "golden")
            ? data
            : data.SetCategory("Long").Explicit("larger sets: --filter TestCategory=Long");

    private sealed record Outcome(float[] Image, float[] Text, float[] Logits, float Loss,
        Dictionary<string, float[]> Gradients);

    private static Outcome Run(Device device, ClipWeights weights, float[] pixels, int[][] ids)
    {
        float scale = device.Activations == ElementType.Float16 ? 1024 : 1;
        using var model = new ClipModel(device, weights);
        model.Parameters.Train(_ => true);
        int size = model.Config.ImageSize;
        using var tape = new Tape(device);
        Tensor images =
            tape.Own(Tensor.From(device, pixels, new Shape(pixels.Length / (3 * size * size), 3, size, size)));
        Tensor image = model.Vision.Forward(tape, images), text = model.Text.Forward(tape, ids),
            logits = model.LogitsPerImage(tape, image, text);
        int count = logits.Shape[0];
        Tensor targets = tape.Own(Tensor.From(device, [.. Enumerable.Range(0, count)], new Shape(count)));
        Tensor squares = tape.Sum(tape.Multiply(logits, logits));
        Tensor loss = tape.Add(tape.SoftmaxCrossEntropy(logits, targets),
            tape.Scale(squares, .1f / logits.Shape.Count));
        (float[] ofImages, float[] ofTexts, float[] ofPairs) = (image.ToArray(), text.ToArray(), logits.ToArray());
        float value = loss.Item();
        tape.Backward(loss, scale);
        return new Outcome(ofImages, ofTexts, ofPairs, value, model.Parameters.Names.ToDictionary(name => name,
            name => device.ToFloats(model.Parameters[name].Gradient).Select(entry => entry / scale).ToArray()));
    }

    private void AssertAgree(Outcome actual, Outcome expected, ClipWeights weights)
    {
        ClipConfig config = weights.Config;
        double scale = Math.Exp(weights.Values("logit_scale")[0]), logits = Largest(expected.Logits.Length) * scale
            * Cosines(config);
        Assert.Multiple(() =>
        {
            AssertVector(actual.Image, expected.Image, Features(config), "image features");
            AssertVector(actual.Text, expected.Text, Features(config), "text features");
            // The loss is off by no more than its logits.
            GoldenSet.AssertClose(actual.Logits, expected.Logits, logits, "logits");
            GoldenSet.AssertClose([actual.Loss], [expected.Loss], logits, "loss");
            Assert.That(actual.Gradients.Keys, Is.EquivalentTo(expected.Gradients.Keys));
            foreach ((string name, float[] gradient) in actual.Gradients)
                AssertVector(gradient, expected.Gradients[name], Gradients(config, scale), "gradient of " + name);
        });
    }

    private static double Distance(float[] actual, float[] expected) =>
        Math.Sqrt(expected.Zip(actual, (x, y) => Math.Pow(x - y, 2)).Sum() / expected.Sum(x => (double)x * x));

    private static void AssertVector(float[] actual, float[] expected, double bound, string what)
    {
        double distance = Distance(actual, expected);
        TestContext.Out.WriteLine($"{what}: off by {distance:E1} of its length, bound {bound:E1}");
        Assert.That(distance, Is.LessThanOrEqualTo(bound), what);
        double largest = expected.Max(Math.Abs);
        Assert.That(expected.Zip(actual, (x, y) => Math.Abs(x - y)).Max(), Is.LessThanOrEqualTo(2 * bound * largest),
            what + ", its worst entry");
    }

    // The numbers of own, but within each class as other orders them. Sorting does not move numbers further apart, so
    // that none moves by more than the two differ.
    private static float[] InOrderOf(float[] other, float[] own, int subclasses)
    {
        var result = new float[own.Length];
        for (int first = 0; first < own.Length; first += subclasses)
        {
            int[] places = [.. Enumerable.Range(first, subclasses)];
            other.AsSpan(first, subclasses).ToArray().AsSpan().Sort(places.AsSpan());
            float[] values = [.. own.AsSpan(first, subclasses).ToArray().Order()];
            for (int rank = 0; rank < subclasses; rank++)
                result[places[rank]] = values[rank];
        }
        return result;
    }

    private static IEnumerable<int> Nearest(float[] logits, int subclasses) =>
        logits.Chunk(subclasses).Select(ofClass => Array.IndexOf(ofClass, ofClass.Max()));

    private sealed record Step(float[] Logits, float[] Losses, float LossScale, Dictionary<string, float[]> Gradients);

    /// <summary>A model under training in one of the stages, as the set's reference trains it.</summary>
    private sealed class Trainee : IDisposable
    {
        private const int Classes = 7;

        private readonly Device _device;
        private readonly TensorSource _golden;
        private readonly CliperModel _model;
        private readonly LossScaler _scaler;
        private readonly (string Name, Tensor Tensor)[] _trained;
        private readonly AdamW _optimizer = new(epsilon: 1e-4f);
        private readonly Tensor? _descriptors;

        public Trainee(Device device, TensorSource golden, ClipWeights weights, bool descriptors)
        {
            // Training begins at 2^16 and leaves out its first steps: here fewer, for the interpreter's time.
            (_device, _golden, _scaler) = (device, golden,
                device.Activations == ElementType.Float16 ? new LossScaler(1 << 13) : LossScaler.For(device));
            var clip = new ClipModel(device, weights);
            _model = new CliperModel(clip, Descriptors(descriptors ? "metd.init" : "metd.final"),
                [.. Enumerable.Range(0, Classes).Select(label => $"class {label}")]);
            clip.Parameters.Train(name => !descriptors && ClipModel.IsVision(name));
            ((Metd)_model.Prompts).Vectors.RequiresGrad = descriptors;
            _trained = descriptors ? [(Metd.ParameterName, ((Metd)_model.Prompts).Vectors)]
                : [.. clip.Parameters.StartingWith("visual.")];
            _optimizer.AddGroup(_trained, descriptors ? 0 : .1f);
            Rate = golden.ReadFloats(descriptors ? "stage1.lr" : "stage2.lr")[0];
            if (descriptors)
                return;
            using var tape = new Tape(device, recording: false);
            Tensor features = _model.ClassFeatures(tape)!;
            _descriptors = Tensor.From(device, features.ToArray(), features.Shape);
        }

        public float Rate { get; }

        public int Subclasses => _model.Prompts.PromptsPerClass;

        /// <summary>
        /// Root of the mean squared distance of the descriptors' features, of length 1, from their mean; in stage 2.
        /// </summary>
        public double DescriptorSpread
        {
            get
            {
                float[] features = _descriptors!.ToArray();
                int width = _descriptors.Shape.Width, rows = _descriptors.Shape.Rows;
                double squares = features.Sum(value => (double)value * value);
                for (int column = 0; column < width; column++)
                    squares -= rows * Math.Pow(Enumerable.Range(0, rows).Average(row => features[row * width + column]),
                        2);
                return Math.Sqrt(squares / rows);
            }
        }

        public Dictionary<string, float[]> Parameters =>
            _trained.ToDictionary(entry => entry.Name, entry => entry.Tensor.ToArray());

        /// <summary>Losses and gradients of a step, the loss scale halved until they are finite.</summary>
        public Step Run(int step, Func<float[], float[]>? replaceLogits = null)
        {
            IReadOnlyList<long> shape = _golden.Entry("images").Shape;
            int batch = (int)shape[1], size = (int)shape[3], pixels = batch * 3 * size * size;
            while (true)
            {
                float[] values, losses;
                using (var tape = new Tape(_device))
                {
                    Tensor images =
                        tape.Own(Tensor.From(_device, _golden.ReadFloats("images").AsSpan(step * pixels, pixels),
                        new Shape(batch, 3, size, size)));
                    Tensor labels = tape.Own(Tensor.From(_device,
                        [.. _golden.ReadIntegers("labels").Skip(step * batch).Take(batch).Select(label => (int)label)],
                        new Shape(batch)));
                    Tensor logits = _model.Logits(tape, _model.ImageFeatures(tape, images),
                        _descriptors ?? _model.ClassFeatures(tape));
                    values = logits.ToArray();
                    if (replaceLogits is not null)
                        _device.Upload(MemoryMarshal.AsBytes(replaceLogits(values).AsSpan()), logits.Data);
                    Tensor both = tape.CliperLoss(logits, labels, _model.Classes.Count, _model.Prompts.PromptsPerClass);
                    losses = both.ToArray();
                    tape.Backward(tape.Sum(both), _scaler.Scale);
                }
                float scale = _scaler.Scale;
                using var clipping = new GradientClipping(_device);
                clipping.Measure(_optimizer.Parameters, scale);
                bool finite = clipping.Read().IsFinite;
                _scaler.Update(finite);
                var gradients = _trained.ToDictionary(entry => entry.Name,
                    entry => _device.ToFloats(entry.Tensor.Gradient).Select(value => value / scale).ToArray());
                _optimizer.ClearGradients();
                if (finite)
                    return new Step(values, losses, scale, gradients);
                Assert.That(_scaler.Scale, Is.GreaterThanOrEqualTo(256), "loss scale");
                TestContext.Out.WriteLine($"step {step}: gradients are not finite at a loss scale of {scale}");
            }
        }

        /// <summary>An optimizer's step by the gradients of the last run.</summary>
        public void Update(float lossScale)
        {
            foreach ((_, Tensor tensor) in _trained)
                tensor.GradientTarget();
            DeviceArray factor = _device.From([1 / lossScale]);
            _optimizer.Step(Rate, factor);
            _device.Free(factor);
            _optimizer.ClearGradients();
        }

        /// <summary>An optimizer's step by other gradients.</summary>
        public void Update(Dictionary<string, float[]> gradients)
        {
            foreach ((string name, Tensor tensor) in _trained)
                _device.Upload(MemoryMarshal.AsBytes(gradients[name].AsSpan()), tensor.GradientTarget().Array);
            Update(lossScale: 1);
        }

        public void Dispose()
        {
            _optimizer.Dispose();
            _descriptors?.Dispose();
            _model.Dispose();
        }

        private Metd Descriptors(string name)
        {
            // Stand-ins for the learned vectors are the run of equal ids in the template.
            int[] template = [.. _golden.ReadIntegers("template_ids").Select(id => (int)id)];
            int[] ids = template[..(TextTransformer.EndOf(template) + 1)];
            IReadOnlyList<long> shape = _golden.Entry(name).Shape;
            int prompts = (int)shape[0], slots = (int)shape[1], width = (int)shape[2];
            int start = Enumerable.Range(0, ids.Length - slots).Single(at =>
                ids.AsSpan(at, slots).Count(ids[at]) == slots);
            return new Metd(Tensor.From(_device, _golden.ReadFloats(name), new Shape(Classes, prompts / Classes,
                slots, width)),
                new DescriptorPrompt(ids, start, slots));
        }
    }
}
