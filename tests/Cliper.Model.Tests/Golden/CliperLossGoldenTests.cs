using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>CLIPER's losses against PyTorch: every cliper_loss_*.safetensors in a golden folder, every case in it.</summary>
public sealed class CliperLossGoldenTests
{
    private static IEnumerable<string> Files
    {
        get
        {
            for (DirectoryInfo? folder = new(TestContext.CurrentContext.TestDirectory); folder is not null; folder = folder.Parent)
                if (File.Exists(Path.Combine(folder.FullName, "Cliper.Gpu.sln")))
                {
                    string?[] places = [Environment.GetEnvironmentVariable("CLIPER_GOLDEN"),
                        Path.Combine(folder.FullName, "tests", "golden"), Path.Combine(folder.Parent!.FullName, "shared", "golden")];
                    return places.OfType<string>().Where(Directory.Exists)
                        .SelectMany(place => Directory.GetFiles(place, "cliper_loss_*.safetensors"));
                }
            return [];
        }
    }

    [Test]
    public void EveryCaseAgrees()
    {
        if (!Files.Any())
            Assert.Ignore("no cliper_loss_*.safetensors in CLIPER_GOLDEN, tests/golden or ../shared/golden");
        Assert.Multiple(() =>
        {
            foreach (string file in Files)
                using (TensorSource golden = TensorSource.Open(file))
                {
                    float tau = float.Parse(golden.Metadata["tau"], CultureInfo.InvariantCulture);
                    int cases = 0;
                    for (; golden.Tensors.ContainsKey($"{cases}.cosine"); cases++)
                        Check(golden, $"{cases}.", tau);
                    TestContext.Out.WriteLine($"{file}: {cases} cases");
                    Assert.That(cases, Is.Positive, file);
                }
        });
    }

    // PyTorch's side is fp32: logits reach 1 / tau = 100, where 2^-24 relative is 6e-6 absolute, in the exponent of every
    // softmax and in the loss itself; alpha scales the loss and its gradient, and 1 / tau the gradient by the cosine.
    private static void Check(TensorSource golden, string prefix, float tau)
    {
        long[] shape = golden.ReadIntegers(prefix + "shape");
        (int batch, int classes, int subclasses) = ((int)shape[0], (int)shape[1], (int)shape[2]);
        float[] logits = [.. golden.ReadFloats(prefix + "cosine").Select(cosine => cosine / tau)];
        using var device = new HostDevice();
        DeviceArray s = device.From(logits), labels = device.From([.. golden.ReadIntegers(prefix + "target").Select(y => (int)y)]),
            losses = device.Allocate(2), alpha = device.Allocate(batch), nearest = device.Allocate(batch, ElementType.Int32),
            counts = device.Allocate(classes * subclasses, ElementType.Int32), dlosses = device.From([1f, 1f]),
            gradient = device.Allocate(logits.Length);

        CliperLoss.Forward(s, labels, losses, alpha, nearest, counts, batch, classes, subclasses,
            EmptySubclasses.MinusOneNinetyNinth);
        CliperLoss.Backward(s, labels, alpha, nearest, dlosses, gradient, false, batch, classes, subclasses);

        float[] expectedAlpha = golden.ReadFloats(prefix + "alpha");
        double largestAlpha = expectedAlpha.Max(Math.Abs);
        Assert.That(nearest.AsSpan<int>().ToArray(), Is.EqualTo(golden.ReadIntegers(prefix + "nearest")), prefix + "nearest");
        Assert.That(counts.AsSpan<int>().ToArray(), Is.EqualTo(golden.ReadFloats(prefix + "count")), prefix + "count");
        AssertClose(device.ToFloats(alpha), expectedAlpha, 1e-6 * largestAlpha, prefix + "alpha");
        float[] expectedLosses = [golden.ReadFloats(prefix + "fine")[0], golden.ReadFloats(prefix + "margin")[0]];
        AssertClose(device.ToFloats(losses), expectedLosses, 2e-5 * largestAlpha, prefix + "losses");
        AssertClose([.. device.ToFloats(gradient).Select(d => d / tau)], golden.ReadFloats(prefix + "grad_cosine"),
            2e-5 * largestAlpha / tau / batch, prefix + "gradient");
    }

    private static void AssertClose(float[] actual, float[] expected, double bound, string what)
    {
        double worst = actual.Zip(expected).Max(pair => Math.Abs((double)pair.First - pair.Second));
        Assert.That(worst, Is.LessThanOrEqualTo(bound), what);
        TestContext.Out.WriteLine($"{what}: {worst:E1}, bound {bound:E1}");
    }
}
