using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Clip;

/// <summary>The ResNet's modes, buffers and files, which golden sets do not show.</summary>
public sealed class ResNetTests : TemporaryFolder
{
    private const int Images = 6;

    internal static readonly ClipConfig Config = new()
    {
        ImageSize = 32,
        VisionWidth = 4,
        ResNetBlocks = new StageBlocks(1, 2, 1, 1),
        VisionHeads = 2,
        TextWidth = 64,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 40,
        ContextLength = 20,
        EmbedSize = 16,
    };

    private CpuDevice _device = null!;
    private ClipModel _model = null!;

    [SetUp]
    public void MakeModel()
    {
        _device = new CpuDevice(1);
        _model = Make();
    }

    [TearDown]
    public void NothingIsLeft()
    {
        _model.Dispose();
        long left = _device.LiveBytes;
        _device.Dispose();
        Assert.That(left, Is.Zero, "bytes left on the device");
    }

    [Test]
    public void BuffersAreTheRunningStatistics_AndTakeNoGradient()
    {
        // Stem, three convolutions a block, a shortcut a stage; mean and variance of each.
        Assert.That(_model.Vision.Buffers, Has.Count.EqualTo(2 * (3 + 5 * 3 + 4)));
        Assert.That(_model.Parameters.Trainable().Select(parameter => parameter.Name),
            Is.EquivalentTo(_model.Parameters.Names.Except(_model.Vision.Buffers)));
        Train(_model);
        foreach (string name in _model.Vision.Buffers)
            Assert.That(_model.Parameters[name].HasGradient, Is.False, name);
    }

    [Test]
    public void Inference_LeavesTheRunningStatistics_AndFoldsThem()
    {
        Train(_model);
        float[][] before = Buffers(_model);
        _model.Vision.IsTraining = false;

        float[] folded = Features(_model, recording: false), running = Features(_model, recording: true);

        Assert.That(Buffers(_model), Is.EqualTo(before));
        // 21 layers in a row, the sums of each at most 288 products: independent errors of 2^-24 sqrt(288) a layer on
        // both sides, and four deviations for the largest of some numbers.
        double bound = 4 * Math.Pow(2, -24) * Math.Sqrt(288 * 21 * 2) * running.Max(Math.Abs);
        Assert.That(folded, Is.EqualTo(running).Within(bound));
        Assert.That(folded, Is.Not.EqualTo(running), "the two ways round differently");
    }

    [Test]
    public void Inference_AfterATrainingStep_FoldsTheNewParameters()
    {
        Train(_model);
        _model.Vision.IsTraining = false;
        float[] before = Features(_model, recording: false);
        Train(_model);
        _model.Vision.IsTraining = false;

        float[] after = Features(_model, recording: false);

        Assert.That(after, Is.Not.EqualTo(before));
        using ClipWeights weights = ClipWeights.From(_model);
        using var fresh = new ClipModel(_device, weights);
        Assert.That(after, Is.EqualTo(Features(fresh, recording: false)));
    }

    [Test]
    public void RecomputedBlocks_GiveTheSameBits_AndUpdateRunningStatisticsOnce()
    {
        using ClipModel other = Make();
        other.Vision.RecomputeBlocks = true;

        float[][] kept = Train(_model), recomputed = Train(other);

        Assert.That(recomputed, Is.EqualTo(kept), "gradients");
        Assert.That(Buffers(other), Is.EqualTo(Buffers(_model)), "running statistics");
    }

    [Test]
    public void PixelsAndPlanes_GiveTheSame()
    {
        float[] planes = Pixels(), pixels = new float[planes.Length];
        int area = Config.ImageSize * Config.ImageSize;
        for (int i = 0; i < planes.Length; i++)
            pixels[(i / (3 * area) * area + i % area) * 3 + i / area % 3] = planes[i];
        using var tape = new Tape(_device, recording: false);
        Tensor laidOut = tape.Own(Tensor.From(_device, pixels, new Shape(Images, area, 3)));

        Assert.That(_model.Vision.Forward(tape, laidOut).ToArray(), Is.EqualTo(Features(_model, recording: false)));
        Assert.That(_model.Vision.Input.PatchSize, Is.EqualTo(1), "the layout that a GPU's loader gives");
    }

    [Test]
    public void ImagesOfAnotherSize_AreNamed()
    {
        using var tape = new Tape(_device, recording: false);
        Tensor images = tape.Own(Tensor.From(_device, new float[3 * 33 * 32], new Shape(1, 3, 33, 32)));
        Assert.That(() => _model.Vision.Forward(tape, images), Throws.ArgumentException.With.Message.EqualTo(
            "images are [1, 3, 33, 32], the model takes [1, 3, 32, 32] or [1, 1024, 3]"));
    }

    [Test]
    public void Checkpoint_KeepsParametersAndRunningStatistics()
    {
        Train(_model);
        _model.Vision.IsTraining = false;
        using ClipWeights weights = ClipWeights.From(_model);
        using var model = new CliperModel(new ClipModel(_device, weights),
            new FixedPrompts([[[38, 1, 39]], [[38, 2, 39]]]), ["a", "b"]);
        Checkpoint.Save(In("x"), model, new CheckpointInfo(1, "test", ""));

        (CliperModel read, _) = Checkpoint.Load(In("x"), _device);

        using (read)
        {
            Assert.That(read.Clip.Config, Is.EqualTo(Config));
            Assert.That(Buffers(read.Clip), Is.EqualTo(Buffers(_model)));
            Assert.That(Features(read.Clip, recording: false), Is.EqualTo(Features(_model, recording: false)));
        }
    }

    private ClipModel Make()
    {
        using ClipWeights weights = ClipWeights.Random(Config, 3);
        return new ClipModel(_device, weights);
    }

    /// <summary>One pass in training; returns the gradients.</summary>
    private float[][] Train(ClipModel model)
    {
        model.Vision.IsTraining = true;
        model.Parameters.Train(ClipModel.IsVision);
        using (var tape = new Tape(_device))
        {
            Tensor images = tape.Own(Tensor.From(_device, Pixels(), new Shape(Images, 3, 32, 32)));
            Tensor features = model.Vision.Forward(tape, images);
            tape.Backward(tape.Sum(tape.Multiply(features, features)));
        }
        float[][] gradients = [.. model.Parameters.Trainable().Where(parameter => parameter.Tensor.HasGradient)
            .Select(parameter => _device.ToFloats(parameter.Tensor.Gradient))];
        model.Parameters.Train(_ => false);
        return gradients;
    }

    private float[] Features(ClipModel model, bool recording)
    {
        using var tape = new Tape(_device, recording);
        Tensor images = tape.Own(Tensor.From(_device, Pixels(), new Shape(Images, 3, 32, 32)));
        return model.Vision.Forward(tape, images).ToArray();
    }

    private static float[][] Buffers(ClipModel model) =>
        [.. model.Vision.Buffers.Select(name => model.Parameters[name].ToArray())];

    private static float[] Pixels()
    {
        var random = new Random(5);
        return [.. Enumerable.Range(0, Images * 3 * 32 * 32).Select(_ => random.NextSingle() * 4 - 2)];
    }
}
