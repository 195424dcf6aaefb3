using System.Globalization;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>CLIPER's losses against PyTorch: every case of every set.</summary>
public sealed class LossGoldenTests : GoldenTests
{
    [TestCaseSource(typeof(GoldenSet), nameof(GoldenSet.Losses))]
    public void LossesAndGradientsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenLosses();
        float tau = float.Parse(golden.Metadata["tau"], CultureInfo.InvariantCulture);
        string[] cases = [.. golden.Tensors.Keys.Select(name => name[..(name.IndexOf('.') + 1)]).Distinct()];
        Assert.That(cases, Is.Not.Empty);
        foreach (string prefix in cases)
            Check(golden, prefix, tau);
    }

    // PyTorch's side is fp32: logits reach 1 / tau = 100, where 2^-24 relative is 6e-6 absolute, in the exponent of
    // every softmax and in the loss itself; alpha scales the loss and its gradient, and 1 / tau the gradient by the
    // cosine.
    private void Check(TensorSource golden, string prefix, float tau)
    {
        long[] shape = golden.ReadIntegers(prefix + "shape");
        (int batch, int classes, int subclasses) = ((int)shape[0], (int)shape[1], (int)shape[2]);
        float[] logits = [.. golden.ReadFloats(prefix + "cosine").Select(cosine => cosine / tau)];
        DeviceArray s = Device.From(logits), labels =
            Device.From([.. golden.ReadIntegers(prefix + "target").Select(y => (int)y)]),
            losses = Device.Allocate(2), alpha = Device.Allocate(batch),
                nearest = Device.Allocate(batch, ElementType.Int32),
            counts = Device.Allocate(classes * subclasses, ElementType.Int32), dlosses = Device.From([1f, 1f]),
            gradient = Device.Allocate(logits.Length);

        CliperLoss.Forward(s, labels, losses, new(alpha, nearest, counts), new(batch, classes, subclasses),
            EmptySubclasses.MinusOneNinetyNinth);
        CliperLoss.Backward(s, labels, new(alpha, nearest, default), dlosses, gradient,
            new(batch, classes, subclasses));

        float[] expectedAlpha = golden.ReadFloats(prefix + "alpha");
        double largestAlpha = expectedAlpha.Max(Math.Abs);
        Assert.That(nearest.AsSpan<int>().ToArray(), Is.EqualTo(golden.ReadIntegers(prefix + "nearest")), prefix
            + "nearest");
        Assert.That(counts.AsSpan<int>().ToArray(), Is.EqualTo(golden.ReadFloats(prefix + "count")), prefix + "count");
        GoldenSet.AssertClose(Device.ToFloats(alpha), expectedAlpha, 1e-6 * largestAlpha, prefix + "alpha");
        float[] expectedLosses = [golden.ReadFloats(prefix + "fine")[0], golden.ReadFloats(prefix + "margin")[0]];
        GoldenSet.AssertClose(Device.ToFloats(losses), expectedLosses, 2e-5 * largestAlpha, prefix + "losses");
        GoldenSet.AssertClose([.. Device.ToFloats(gradient).Select(d => d / tau)],
            golden.ReadFloats(prefix + "grad_cosine"),
            2e-5 * largestAlpha / tau / batch, prefix + "gradient");
        foreach (DeviceArray array in new[] { s, labels, losses, alpha, nearest, counts, dlosses, gradient })
            Device.Free(array);
    }
}
