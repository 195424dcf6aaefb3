using System.Diagnostics;
using Cliper.Autograd;
using Cliper.Benchmarks.Measuring;
using Cliper.Benchmarks.Peers;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;
using AdamW = Cliper.Autograd.Optimizers.AdamW;

namespace Cliper.Benchmarks.Cases;

/// <summary>
/// One step of each of CLIPER's stages as the trainer takes it, ViT-B/16 and seven classes of five descriptors: stage 1
/// learns the descriptors (35 prompts of 11 tokens; images without gradients), stage 2 the image tower against fixed
/// text features. Images a second, and the share of time outside the kernels' parallel regions. No peer has these
/// steps.
/// </summary>
internal static class StageCases
{
    private const int Threads = 2;
    private const int Batch = 8, Classes = 7, Subclasses = 5, Tokens = 4;
    private const double Epsilon = 1e-4;

    public static void Run(Bench bench)
    {
        string first = $"train stage 1 ViT-B/16 batch {Batch}", second = $"train stage 2 ViT-B/16 batch {Batch}";
        if (!bench.Wants(first) && !bench.Wants(second))
            return;
        using CpuDevice device = Bench.Device(Threads);
        using CliperModel model = Create(device);
        using Tensor images =
            Tensor.From(device, Bench.Random((long)Batch * 3 * ClipShape.ImageSize * ClipShape.ImageSize, 7),
            new Shape(Batch, 3, ClipShape.ImageSize, ClipShape.ImageSize));
        using Tensor labels = Tensor.From(device, [.. Enumerable.Range(0, Batch).Select(sample => sample % Classes)],
            new Shape(Batch));
        if (bench.Wants(first))
            Stage1(bench, first, device, model, images, labels);
        if (bench.Wants(second))
            Stage2(bench, second, device, model, images, labels);
    }

    private static void Stage1(Bench bench, string name, CpuDevice device, CliperModel model, Tensor images,
        Tensor labels)
    {
        model.Clip.Parameters.Train(_ => false);
        ((Metd)model.Prompts).Vectors.RequiresGrad = true;
        using var optimizer = new AdamW(epsilon: Epsilon);
        optimizer.AddGroup([("metd.vectors", ((Metd)model.Prompts).Vectors)], weightDecay: 0);
        Measure(bench, name, device, () =>
        {
            optimizer.ClearGradients();
            using var tape = new Tape(device);
            Tensor features = tape.New(new Shape(Batch, ClipShape.Features));
            using (var frozen = new Tape(device, recording: false))
                device.Copy(model.ImageFeatures(frozen, images).Data, features.Data);
            Backward(tape, model, features, model.ClassFeatures(tape)!, labels);
            optimizer.Step(0.01f);
        });
        ((Metd)model.Prompts).Vectors.RequiresGrad = false;
    }

    private static void Stage2(Bench bench, string name, CpuDevice device, CliperModel model, Tensor images,
        Tensor labels)
    {
        model.Clip.Parameters.Train(ClipModel.IsVision);
        using var optimizer = new AdamW(epsilon: Epsilon);
        optimizer.AddGroup(model.Clip.Parameters.StartingWith("visual."), weightDecay: 0.1f);
        using var outer = new Tape(device, recording: false);
        Tensor descriptors = model.ClassFeatures(outer)!;
        Measure(bench, name, device, () =>
        {
            optimizer.ClearGradients();
            using var tape = new Tape(device);
            Backward(tape, model, model.ImageFeatures(tape, images), descriptors, labels);
            optimizer.Step(5e-6f);
        });
    }

    private static void Backward(Tape tape, CliperModel model, Tensor features, Tensor descriptors, Tensor labels)
    {
        Tensor logits = model.Logits(tape, features, descriptors);
        Tensor losses = tape.CliperLoss(logits, labels, model.Classes.Count, model.Prompts.PromptsPerClass);
        tape.Backward(tape.Sum(losses));
    }

    private static void Measure(Bench bench, string name, CpuDevice device, Action step)
    {
        bench.Row(name, Threads, gflop: 0, rounds: 7, quickSeconds: 4, new Contender(Side.Ours, step));
        bench.Report.Figure($"{name}, images/s", Batch / bench.Report.Rows[^1].OursMs * 1e3);
        TimeSpan before = device.Pool.RegionTime;
        long began = Stopwatch.GetTimestamp();
        for (int turn = 0; turn < 3; turn++)
            step();
        TimeSpan whole = Stopwatch.GetElapsedTime(began);
        bench.Report.Figure($"{name}, share of time outside kernels", 1 - (device.Pool.RegionTime - before) / whole);
    }

    private static CliperModel Create(CpuDevice device)
    {
        var config = new ClipConfig
        {
            ImageSize = ClipShape.ImageSize,
            PatchSize = 16,
            VisionWidth = 768,
            VisionLayers = ClipShape.Layers,
            VisionHeads = 12,
            TextWidth = 512,
            TextLayers = ClipShape.Layers,
            TextHeads = 8,
            VocabularySize = ClipShape.Vocabulary,
            ContextLength = ClipShape.Context,
            EmbedSize = ClipShape.Features,
        };
        using ClipWeights weights = ClipWeights.Random(config, seed: 1);
        // "an ID photo of", the learnable places, "."; between start and end token.
        int[] prompt = [49406, 550, 1032, 1125, 539, 1, 1, 1, 1, 269, 49407];
        return new CliperModel(new ClipModel(device, weights),
            Metd.Random(device, Classes, Subclasses, config.TextWidth, new DescriptorPrompt(prompt, 5, Tokens),
            seed: 1),
            [.. Enumerable.Range(0, Classes).Select(index => $"class {index}")]);
    }
}
