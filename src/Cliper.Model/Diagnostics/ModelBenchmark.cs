using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;
using ModelShape = Cliper.Model.Diagnostics.BenchmarkSizes.ModelShape;

namespace Cliper.Model.Diagnostics;

/// <summary>
/// Times whole models with random weights: features of images, a training step of each of CLIPER's stages as the
/// trainer takes it (stage 1 learns 35 descriptors through the text tower, stage 2 the image tower against fixed ones),
/// and what the optimizer does in it. GFLOP/s count the matrix products alone.
/// </summary>
/// <param name="device">Where to run.</param>
/// <param name="sizes">The models.</param>
/// <param name="peakGflops">The device's rate of arithmetic, see <see cref="CpuRoofline"/> and
/// <see cref="GpuRoofline"/>.</param>
/// <param name="bandwidth">The device's memory bandwidth, GB/s.</param>
public sealed class ModelBenchmark(Device device, BenchmarkSizes sizes, double peakGflops, double bandwidth)
{
    private const int Classes = 7, Subclasses = 5, Slots = 4, SlotStart = 5, PromptLength = 11;
    private const float Epsilon = 1e-4f;
    private const string Stepping = "AdamW", Norm = "gradient norm";

    // By inputs and by weights: two products for each one forward.
    private const int TrainingFactor = 3, InputGradientFactor = 2;

    /// <summary>A row each model and kind of work, as they are measured.</summary>
    /// <param name="only">Part of the name of those to be measured; empty for all.</param>
    /// <param name="known">
    /// Names and shapes that are not measured again; of what the optimizer does, the name alone, for its shape is the
    /// model's.
    /// </param>
    public IEnumerable<BenchmarkRow> Run(string only = "", IReadOnlySet<(string Name, string Shape)>? known = null)
    {
        foreach (ModelShape shape in sizes.Models)
        {
            string kind = shape.Config.IsResNet ? "resnet " : "";
            string forward = $"{kind}forward {shape.Name}", first = $"{kind}stage 1 step {shape.Name}",
                second = $"{kind}stage 2 step {shape.Name}";
            int[] batches = [.. shape.Forward.Where(batch => Wants(forward, $"batch {batch}"))];
            bool takesFirst = Wants(first, shape.Batch), takesSecond = Wants(second, shape.Batch);
            string[] ofOptimizer = ReferenceEquals(shape, sizes.Models[0])
                ? [.. new[] { Stepping, Norm }.Where(WantsOptimizer)]
                : [];
            if (!(batches.Length > 0 || takesFirst || takesSecond || ofOptimizer.Length > 0))
                continue;
            using CliperModel model = Create(shape.Config);
            double image = FlopsOfAnImage(shape.Config);
            foreach (int batch in batches)
                yield return Compute(forward, $"batch {batch}", batch * image, Forward(model, batch));
            int pictures = shape.Samples * shape.Frames;
            if (takesFirst)
                yield return Compute(first, shape.Batch, pictures * image + InputGradientFactor
                    * FlopsOfThePrompts(shape.Config),
                    First(model, shape));
            if (takesSecond)
                yield return Compute(second, shape.Batch, TrainingFactor * pictures * image, Second(model, shape));
            if (ofOptimizer.Length > 0)
                foreach (BenchmarkRow row in Optimizer(model, ofOptimizer))
                    yield return row;
        }

        bool Named(string name) => name.Contains(only, StringComparison.OrdinalIgnoreCase);
        bool Wants(string name, string shape) => Named(name) && known?.Contains((name, shape)) is not true;
        bool WantsOptimizer(string name) => Named(name) && known?.Any(row => row.Name == name) is not true;
    }

    private double Forward(CliperModel model, int batch)
    {
        using Tensor images = Images(model, batch);
        return Timing.Median(device, () =>
        {
            using var tape = new Tape(device, recording: false);
            model.ImageFeatures(tape, images);
        }, sizes.ModelSeconds);
    }

    private double First(CliperModel model, ModelShape shape)
    {
        model.Train(model.Prompts.Parameters);
        double seconds = Step(model, shape, [.. model.Prompts.Parameters], (tape, images) =>
        {
            Tensor features = tape.New(new Shape(shape.Samples, shape.Config.EmbedSize));
            using (var frozen = new Tape(device, recording: false))
                device.Copy(model.ImageFeatures(frozen, images, shape.Frames).Data, features.Data);
            return (features, model.ClassFeatures(tape));
        });
        model.Train([]);
        return seconds;
    }

    private double Second(CliperModel model, ModelShape shape)
    {
        model.Clip.Parameters.Train(ClipModel.IsVision);
        model.Clip.Vision.IsTraining = true;
        using var outer = new Tape(device, recording: false);
        Tensor? descriptors = model.ClassFeatures(outer);
        double seconds = Step(model, shape, Trained(model), (tape, images) =>
            (model.ImageFeatures(tape, images, shape.Frames), descriptors));
        model.Clip.Vision.IsTraining = false;
        model.Clip.Parameters.Train(_ => false);
        return seconds;
    }

    private double Step(CliperModel model, ModelShape shape, (string Name, Tensor Tensor)[] trained,
        Func<Tape, Tensor, (Tensor Features, Tensor? Descriptors)> forward)
    {
        using var optimizer = new AdamW(epsilon: Epsilon);
        optimizer.AddGroup(trained, weightDecay: 0.1f);
        using Tensor images = Images(model, shape.Samples * shape.Frames);
        using Tensor labels = Tensor.From(device, [.. Enumerable.Range(0, shape.Samples).Select(i => i % Classes)],
            new Shape(shape.Samples));
        using var clipping = new GradientClipping(device);
        var scaler = LossScaler.For(device);
        double seconds = Timing.Median(device, () =>
        {
            device.RunStep(() =>
            {
                using (var tape = new Tape(device))
                {
                    (Tensor features, Tensor? descriptors) = forward(tape, images);
                    Tensor logits = model.Logits(tape, features, descriptors);
                    Tensor losses = tape.CliperLoss(logits, labels, model.Classes.Count, model.Prompts.PromptsPerClass);
                    tape.Backward(tape.Sum(losses), scaler.Scale);
                }
                clipping.Measure(optimizer.Parameters, scaler.Scale);
                optimizer.Step(1e-6f, clipping.Factor);
                optimizer.ClearGradients();
            });
            bool finite = clipping.Read().IsFinite;
            scaler.Update(finite);
            if (!finite)
                optimizer.TakeBack();
        }, sizes.ModelSeconds);
        foreach ((_, Tensor tensor) in trained)
            tensor.FreeGradient();
        return seconds;
    }

    // One sample's backward pass leaves the gradients.
    private IEnumerable<BenchmarkRow> Optimizer(CliperModel model, string[] wanted)
    {
        model.Clip.Parameters.Train(ClipModel.IsVision);
        (string Name, Tensor Tensor)[] trained = Trained(model);
        using var optimizer = new AdamW(epsilon: Epsilon);
        optimizer.AddGroup(trained, weightDecay: 0.1f);
        using Tensor images = Images(model, 1);
        using (var tape = new Tape(device))
            tape.Backward(tape.Sum(model.ImageFeatures(tape, images)));
        long count = trained.Sum(entry => entry.Tensor.Shape.Count);
        string tensors = $"{count} of {trained.Length} tensors";
        // Weight, moments read and written, the gradient read; what products take of a weight on a GPU is written in
        // the same pass.
        long moved = 7 * sizeof(float) * count + trained.Sum(entry => entry.Tensor.OperandBytes);
        if (wanted.Contains(Stepping))
            yield return Move(Stepping, tensors, moved,
                Timing.Median(device, () => optimizer.Step(1e-6f), sizes.OperationSeconds));
        using var clipping = new GradientClipping(device);
        if (wanted.Contains(Norm))
            yield return Move(Norm, tensors, sizeof(float) * count,
                Timing.Median(device, () => clipping.Measure(optimizer.Parameters), sizes.OperationSeconds));
        foreach ((_, Tensor tensor) in trained)
            tensor.FreeGradient();
        model.Clip.Parameters.Train(_ => false);
    }

    private BenchmarkRow Compute(string name, string shape, double flops, double seconds)
    {
        double gflops = flops / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, gflops, null, gflops / peakGflops);
    }

    private BenchmarkRow Move(string name, string shape, long bytes, double seconds)
    {
        double rate = bytes / seconds / 1e9;
        return new BenchmarkRow(name, shape, 1e3 * seconds, null, rate, rate / bandwidth);
    }

    private static (string Name, Tensor Tensor)[] Trained(CliperModel model) =>
        [.. model.Clip.Parameters.StartingWith().Where(p => p.Tensor.RequiresGrad)];

    private static double FlopsOfAnImage(ClipConfig config)
    {
        if (config.ResNetBlocks is { } blocks)
            return FlopsOfResNet(config, blocks);
        double side = config.ImageSize / config.PatchSize, patches = side * side;
        return 2 * patches * 3 * config.PatchSize * config.PatchSize * config.VisionWidth
            + FlopsOfBlocks(config.VisionLayers, patches + 1, config.VisionWidth);
    }

    // Convolutions and the projections of the attention pooling.
    private static double FlopsOfResNet(ClipConfig config, StageBlocks blocks)
    {
        int side = config.ImageSize / 2, width = config.VisionWidth, channels = width;
        double products = 9.0 * side * side * (3 * width / 2 + width * width / 4 + width * width / 2);
        side /= 2;
        for (int stage = 0; stage < StageBlocks.Stages; stage++)
            for (int block = 0; block < blocks[stage]; block++)
            {
                int planes = width << stage, features = 4 * planes, before = side * side;
                side /= stage > 0 && block == 0 ? 2 : 1;
                products += (double)before * planes * (channels + 9 * planes)
                    + (double)side * side * features * (planes + (block == 0 ? channels : 0));
                channels = features;
            }
        return 2 * (products + (double)channels * channels * (2 * config.Patches + 3) + channels * config.EmbedSize);
    }

    private static double FlopsOfThePrompts(ClipConfig config) =>
        Classes * Subclasses * FlopsOfBlocks(config.TextLayers, PromptLength, config.TextWidth);

    private static double FlopsOfBlocks(int layers, double tokens, int width) =>
        layers * (24 * tokens * width * width + 4 * tokens * tokens * width);

    private CliperModel Create(ClipConfig config)
    {
        using ClipWeights weights = ClipWeights.Random(config, seed: 1);
        // Start, five words, the learnable places, a full stop and the end, which has the largest id.
        var prompt = new int[PromptLength];
        Array.Fill(prompt, 1);
        (prompt[0], prompt[^1]) = (config.VocabularySize - 2, config.VocabularySize - 1);
        return new CliperModel(new ClipModel(device, weights),
            Metd.Random(device, Classes, Subclasses, config.TextWidth, new DescriptorPrompt(prompt, SlotStart, Slots),
            seed: 1),
            [.. Enumerable.Range(0, Classes).Select(index => $"class {index}")]);
    }

    // The images have the loader's form: a GPU has made patches of them.
    private Tensor Images(CliperModel model, int count)
    {
        ClipConfig config = model.Clip.Config;
        int size = config.ImageSize;
        if (!RawImages.AreFor(device))
            return Tensor.From(device, BenchmarkArrays.Random(3L * count * size * size, 1),
                new Shape(count, 3, size, size));
        var random = new Random(1);
        var pipeline = new PixelPipeline(size, Augmentation.None, Normalize.Table(config.Mean.ToArray(),
            config.Std.ToArray()));
        return new RawImages([.. Enumerable.Range(0, count).Select(_ =>
        {
            var pixels = new byte[3 * size * size];
            random.NextBytes(pixels);
            return (new StoredImage(size, size, 3, pixels), new ImageTransform());
        })], pipeline, config.ImageInput.PatchSize).Render(device);
    }
}
