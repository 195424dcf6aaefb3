using System.Globalization;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>AdamW on fp16 weights and moments against PyTorch's half tensors: every bit of every step.</summary>
public sealed class HalfAdamWGoldenTests : GoldenTests
{
    private const string FileName = "adamw_half.safetensors";

    [TestCaseSource(nameof(Files))]
    public void Step_RoundedToHalf_HasPyTorchsBits(GoldenSet set)
    {
        using TensorSource golden = TensorSource.Open(Path.Combine(set.Folder, FileName));
        string[] cases = [.. golden.Tensors.Keys.Select(name => name[..name.IndexOf('.')]).Distinct()];
        Assert.That(cases, Is.Not.Empty);
        foreach (string name in cases)
            Check(golden, name);
    }

    [Test]
    public void HalfWeights_AreThoseThatOpenAisLoaderConverts()
    {
        string[] halves = ["visual.conv1.weight", "visual.proj", "text_projection", "metd.vectors",
            "visual.transformer.resblocks.0.attn.in_proj_bias", "visual.transformer.resblocks.11.mlp.c_fc.weight"];
        string[] floats = ["visual.ln_pre.weight", "visual.transformer.resblocks.0.ln_1.bias", "visual.class_embedding",
            "visual.positional_embedding", "logit_scale", "visual.bn1.weight", "visual.layer1.0.downsample.1.bias",
            "token_embedding.weight"];

        Assert.That(halves.Where(HalfWeights.Has), Is.EqualTo(halves));
        Assert.That(floats.Where(HalfWeights.Has), Is.Empty);
    }

    private static IEnumerable<TestCaseData> Files => GoldenSet.Files(FileName);

    // Each operation is correctly rounded on both sides, so that nothing may differ.
    private void Check(TensorSource golden, string name)
    {
        double[] numbers = [.. golden.Metadata[name].Split(',').Select(number =>
            double.Parse(number, CultureInfo.InvariantCulture))];
        float[] weights = golden.ReadFloats($"{name}.weights"), gradients = golden.ReadFloats($"{name}.gradients");
        float[] first = golden.ReadFloats($"{name}.first"), second = golden.ReadFloats($"{name}.second");
        int count = first.Length, steps = gradients.Length / count;
        DeviceArray p = Device.From(weights.AsSpan(0, count)), m = Device.From(new float[count]),
            v = Device.From(new float[count]);
        for (int step = 1; step <= steps; step++)
        {
            DeviceArray g = Device.From(gradients.AsSpan((step - 1) * count, count));
            AdamWUpdate.Step([new(p, g, m, v, step, (float)numbers[0], (float)numbers[1])],
                new AdamWUpdate.Settings(numbers[3], numbers[4], numbers[2], RoundsToHalf: true));
            Device.Free(g);
            Assert.That(Device.ToFloats(p), Is.EqualTo(weights.AsSpan(step * count, count).ToArray()),
                $"{name}, step {step}");
        }
        Assert.That(Device.ToFloats(m), Is.EqualTo(first), name);
        Assert.That(Device.ToFloats(v), Is.EqualTo(second), name);
        foreach (DeviceArray array in new[] { p, m, v })
            Device.Free(array);
    }
}
