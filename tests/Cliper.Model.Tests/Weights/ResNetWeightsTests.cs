using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Model.Clip;
using Cliper.Model.Tests.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>Files of CLIPs with a ResNet, in OpenAI's and OpenCLIP's names, which are the same.</summary>
public sealed class ResNetWeightsTests : TemporaryFolder
{
    private const string Spatial = "visual.layer2.0.conv2.weight";

    // Heads as they follow from the widths, which files need not state.
    private static readonly ClipConfig Config = ResNetTests.Config;

    [Test]
    public void WhatWasSavedIsLoaded([Values(TensorType.F32, TensorType.F16)] TensorType type)
    {
        using ClipWeights weights = Make();
        weights.Save(In("x"), type: type);

        using ClipWeights loaded = ClipWeights.Load(In("x"));

        Assert.That(loaded.Config, Is.EqualTo(Config));
        Assert.That(loaded.Names, Is.EqualTo(weights.Names));
        foreach (string name in weights.Names)
            Assert.That(loaded.Values(name), Is.EqualTo(weights.Values(name)), name);
        using TensorSource file = TensorSource.Open(In("x"));
        Assert.That((file.Entry("visual.bn2.weight").Type, file.Entry("visual.bn2.running_var").Type),
            Is.EqualTo((type, TensorType.F32)), "running statistics keep their range");
    }

    [Test]
    public void ShapeFollowsFromTheTensors_WithoutMetadataAndAfterAPrefix()
    {
        using ClipWeights weights = Make();
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            writer.Add("state_dict.module." + name, weights.ShapeOf(name).ToArray(), weights.Values(name));
        // PyTorch's BatchNorm counts its batches.
        writer.Add("state_dict.module.visual.bn1.num_batches_tracked", [], new long[] { 7 });
        writer.Write(In("x"));

        using ClipWeights loaded = ClipWeights.Load(In("x"));

        Assert.That(loaded.Config, Is.EqualTo(Config));
        Assert.That(WeightsInspection.NameOf(loaded.Config), Is.EqualTo("CLIP ResNet 4x1-2-1-1, 32 pixels"));
        Assert.That(WeightsVerification.Of(In("x")).Faults, Is.Empty);
    }

    [Test]
    public void ConvolutionsAreOihwInFiles_AndOhwiInAModel()
    {
        using var device = new CpuDevice(1);
        using ClipWeights weights = Make();
        using var model = new ClipModel(device, weights);
        Shape file = weights.ShapeOf(Spatial);
        float[] inFile = weights.Values(Spatial), inModel = model.Parameters[Spatial].ToArray();
        Assert.That((file, model.Parameters[Spatial].Shape),
            Is.EqualTo((new Shape(8, 8, 3, 3), new Shape(8, 3, 3, 8))));
        for (int output = 0; output < 8; output++)
            for (int input = 0; input < 8; input++)
                for (int tap = 0; tap < 9; tap++)
                    Assert.That(inModel[(output * 9 + tap) * 8 + input],
                        Is.EqualTo(inFile[(output * 8 + input) * 9 + tap]));

        using ClipWeights back = ClipWeights.From(model);
        foreach (string name in weights.Names)
            Assert.That(back.Values(name), Is.EqualTo(weights.Values(name)), name);
    }

    [Test]
    public void AllThatIsWrongStandsInOneError()
    {
        using ClipWeights weights = Make();
        var writer = new SafeTensorsWriter();
        foreach (string name in weights.Names)
            if (name is not ("visual.layer3.0.downsample.1.running_var" or "visual.attnpool.v_proj.bias"))
            {
                int[] shape = weights.ShapeOf(name).ToArray();
                if (name == Spatial)
                    Array.Reverse(shape);
                writer.Add(name, shape, weights.Values(name));
            }
        writer.Add("visual.proj", [1], new float[1]);
        writer.Write(In("x"));

        Assert.That(() => ClipWeights.Load(In("x")), Throws.TypeOf<InputException>().With.Message.Contains(
            "missing (2): visual.layer3.0.downsample.1.running_var, visual.attnpool.v_proj.bias; unexpected (1): "
            + "'visual.proj'; of another shape or type (1): visual.layer2.0.conv2.weight (expected [8, 8, 3, 3], found "
            + "F32 [3, 3, 8, 8])"));
    }

    [Test]
    public void HuggingFacesNames_AreRefused()
    {
        using ClipWeights weights = Make();
        Assert.That(() => weights.Save(In("x"), ClipNaming.HuggingFace), Throws.TypeOf<InputException>()
            .With.Message.EqualTo("Hugging Face's CLIP has no ResNet image tower, and so no names for its tensors; "
                + "keep OpenAI's"));
    }

    [TestCase(64, 3, 4, 6, 3, 224, "CLIP RN50")]
    [TestCase(64, 3, 4, 23, 3, 224, "CLIP RN101")]
    [TestCase(80, 4, 6, 10, 6, 288, "CLIP RN50x4")]
    [TestCase(96, 6, 8, 18, 8, 384, "CLIP RN50x16")]
    [TestCase(128, 3, 15, 36, 10, 448, "CLIP RN50x64")]
    [TestCase(64, 3, 4, 6, 3, 256, "CLIP ResNet 64x3-4-6-3, 256 pixels")]
    public void PublishedModelsHaveTheirNames(int width, int first, int second, int third, int fourth, int pixels,
        string name) => Assert.That(WeightsInspection.NameOf(Config with
        {
            VisionWidth = width,
            ResNetBlocks = new StageBlocks(first, second, third, fourth),
            ImageSize = pixels,
        }), Is.EqualTo(name));

    [Test]
    public void RandomWeightsHaveOpenAIsDeviations()
    {
        using ClipWeights weights = ClipWeights.Random(Config with { VisionWidth = 16, VisionHeads = 8 }, 5);
        // The deviation of PyTorch's default, uniform within 1 / sqrt(channels x taps), and OpenAI's of the pooling.
        (string Name, double Deviation)[] expected =
        [
            ("visual.conv2.weight", 1 / Math.Sqrt(3 * 8 * 9)),
            ("visual.layer4.0.conv2.weight", 1 / Math.Sqrt(3 * 128 * 9)),
            ("visual.layer4.0.downsample.0.weight", 1 / Math.Sqrt(3 * 256)),
            ("visual.attnpool.k_proj.weight", 1 / Math.Sqrt(512)),
            ("visual.attnpool.c_proj.weight", 1 / Math.Sqrt(512)),
            ("visual.attnpool.positional_embedding", 1 / Math.Sqrt(512)),
        ];
        foreach ((string name, double deviation) in expected)
        {
            float[] values = weights.Values(name);
            // Five deviations of the variance of n normals, sqrt(2 / n).
            Assert.That(values.Average(value => (double)value * value) / (deviation * deviation),
                Is.EqualTo(1).Within(5 * Math.Sqrt(2.0 / values.Length)), name);
        }
        foreach (string name in weights.Names.Where(name =>
            ClipModel.IsVision(name) && weights.ShapeOf(name).Rank == 1))
        {
            bool isOne = name.EndsWith(".running_var", StringComparison.Ordinal)
                || name.EndsWith(".weight", StringComparison.Ordinal) && !(name.Contains("layer")
                    && name.EndsWith("bn3.weight", StringComparison.Ordinal));
            Assert.That(weights.Values(name), Has.All.EqualTo(isOne ? 1 : 0), name);
        }
    }

    /// <summary>Numbers that fp16 holds, unlike their neighbors.</summary>
    private static ClipWeights Make()
    {
        int next = 0;
        return ClipWeights.From(Config, ClipTensors.List(Config).ToDictionary(tensor => tensor.Name,
            tensor => Enumerable.Range(0, (int)tensor.Shape.Count).Select(_ => next++ % 251 / 4f).ToArray()));
    }
}
