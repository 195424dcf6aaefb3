using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Devices;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Analysis;

/// <summary>
/// Times whole image towers, ViT-B/32 and ViT-B/16 with random weights: features of pictures, and stage 2's training step
/// (35 fixed descriptors, forward, CLIPER's losses, backward, AdamW over the tower).
/// </summary>
public static class ModelBenchmark
{
    private const int ImageSize = 224, Width = 768, Layers = 12, Heads = 12, Embed = 512, Classes = 7, Subclasses = 5;
    private const double SecondsACase = 3;

    // Forward, then the gradients by inputs and by weights: two products for each one.
    private const int TrainingFactor = 3;

    private static readonly (int Patch, int[] Forward, int Training)[] Cases = [(32, [1, 16], 8), (16, [1, 8], 4)];

    /// <summary>A row each model and batch, as they are measured. GFLOP/s count the matrix products alone.</summary>
    /// <param name="device">Where to run.</param>
    /// <param name="peakGflops">The machine's FMA peak, see <see cref="HostPeak"/>.</param>
    /// <param name="only">Part of the name of those to be measured; empty for all.</param>
    public static IEnumerable<BenchmarkRow> Run(HostDevice device, double peakGflops, string only = "")
    {
        foreach ((int patch, int[] forward, int training) in Cases)
        {
            string forwardName = $"forward ViT-B/{patch}", trainingName = $"training step ViT-B/{patch}";
            bool wantsForward = forwardName.Contains(only, StringComparison.OrdinalIgnoreCase);
            bool wantsTraining = trainingName.Contains(only, StringComparison.OrdinalIgnoreCase);
            if (!wantsForward && !wantsTraining)
                continue;
            using ClipWeights weights = ClipWeights.Random(Shape(patch), seed: 1);
            using var clip = new ClipModel(device, weights);
            foreach (int batch in wantsForward ? forward : [])
                yield return Row(forwardName, batch, patch, 1, peakGflops, Forward(clip, batch));
            if (wantsTraining)
                yield return Row(trainingName, training, patch, TrainingFactor, peakGflops, TrainingStep(clip, training));
        }
    }

    private static double Forward(ClipModel clip, int batch)
    {
        using Tensor images = Random(clip.Device, new Shape(batch, 3, ImageSize, ImageSize));
        return OperationBenchmark.Median(() =>
        {
            using var tape = new Tape(clip.Device, recording: false);
            clip.Vision.Forward(tape, images);
        }, SecondsACase);
    }

    private static double TrainingStep(ClipModel clip, int batch)
    {
        clip.Parameters.Train(ClipModel.IsVision);
        (string Name, Tensor Tensor)[] parameters = [.. clip.Parameters.StartingWith().Where(p => p.Tensor.RequiresGrad)];
        using var optimizer = new AdamW();
        optimizer.AddGroup(parameters, weightDecay: 0.1f);
        using Tensor images = Random(clip.Device, new Shape(batch, 3, ImageSize, ImageSize));
        using Tensor descriptors = Random(clip.Device, new Shape(Classes * Subclasses, Embed));
        using Tensor labels = Tensor.From(clip.Device, (ReadOnlySpan<int>)[.. Enumerable.Range(0, batch).Select(i => i % Classes)], new Shape(batch));
        double seconds = OperationBenchmark.Median(() =>
        {
            using (var tape = new Tape(clip.Device))
            {
                Tensor features = tape.L2Normalize(clip.Vision.Forward(tape, images));
                Tensor logits = tape.MatMul(features, tape.L2Normalize(descriptors), transposeB: true, scale: 1 / CliperModel.DefaultTemperature);
                tape.Backward(tape.Sum(tape.CliperLoss(logits, labels, Classes, Subclasses)));
            }
            optimizer.Step(1e-6f);
            foreach ((_, Tensor tensor) in parameters)
                tensor.ClearGradient();
        }, SecondsACase);
        clip.Parameters.Train(_ => false);
        return seconds;
    }

    private static BenchmarkRow Row(string name, int batch, int patch, int factor, double peakGflops, double seconds)
    {
        double patches = (double)ImageSize / patch * (ImageSize / patch), tokens = patches + 1;
        double image = 2 * patches * 3 * patch * patch * Width
            + Layers * (24 * tokens * Width * Width + 4 * tokens * tokens * Width);
        double gflops = factor * batch * image / seconds / 1e9;
        return new BenchmarkRow(name, $"batch {batch}", 1e3 * seconds, gflops, null, gflops / peakGflops);
    }

    /// <summary>An OpenAI ViT-B with as small a text tower as there can be: only the image tower is timed.</summary>
    private static ClipConfig Shape(int patch) => new()
    {
        ImageSize = ImageSize,
        PatchSize = patch,
        VisionWidth = Width,
        VisionLayers = Layers,
        VisionHeads = Heads,
        TextWidth = ClipConfig.UsualHeadWidth,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 16,
        EmbedSize = Embed,
    };

    private static Tensor Random(Device device, Shape shape)
    {
        var random = new Random(1);
        var values = new float[shape.Count];
        foreach (ref float value in values.AsSpan())
            value = random.NextSingle() * 2 - 1;
        return Tensor.From(device, values, shape);
    }
}
