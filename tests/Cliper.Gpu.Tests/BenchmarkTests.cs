using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Diagnostics;
using PtxInterpreter;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Rows of `bench --device cuda` at shapes small enough for the interpreter: each row's arrays are of the types that
/// its kernels take, and nothing is left.
/// </summary>
[Parallelizable(ParallelScope.Self)]
public sealed class BenchmarkTests : GpuFixture
{
    internal static readonly ClipConfig Config = new()
    {
        ImageSize = 16,
        PatchSize = 8,
        VisionWidth = 64,
        VisionLayers = 1,
        VisionHeads = 1,
        TextWidth = 64,
        TextLayers = 1,
        TextHeads = 1,
        VocabularySize = 16,
        ContextLength = 12,
        EmbedSize = 16,
    };

    private static readonly BenchmarkSizes Sizes = new()
    {
        MatMulRows = [5, 9],
        FusedRows = [9],
        NormRows = [9],
        ElementRows = 3,
        TokenSamples = 2,
        Attentions = [new(2, 5, 64, 1, false)],
        Models = [new("tiny", Config, [2], 3), new("clips", Config, [1], 2, 2)],
        Width = 64,
        TextWidth = 64,
        Embed = 16,
        ImageSize = 16,
        PatchSize = 8,
        Vocabulary = 16,
        OperationSeconds = 0,
        ModelSeconds = 0,
    };

    [Test]
    public void EveryOperationIsTimedWithTheTypesOfACard()
    {
        using var benchmark = new OperationBenchmark(Device, Sizes, 1, 1);
        List<BenchmarkRow> rows = [.. benchmark.Run()];

        Assert.That(rows.Select(row => (row.Name, row.Shape)), Is.Unique);
        Assert.That(rows.Select(row => row.Milliseconds), Has.All.GreaterThan(0));
        Assert.That(rows.Select(row => row.Name), Is.SupersetOf(new[]
        {
            "matmul NT, bias", "matmul NN, gradient by the input", "matmul TN, gradient by the weight",
                "attention backward",
            "layer norm backward", "QuickGELU backward", "cast fp32 to fp16", "normalize into patches",
            "CLIPER loss backward",
        }));
        Assert.That(Device.Launched.Select(kernel => kernel.Name), Has.None.Contains("Portable"),
            "slow products are not what is measured");
    }

    [Test]
    public void WhatIsLeftOutTakesNoMemory()
    {
        using var all = new OperationBenchmark(Device, Sizes, 1, 1);
        HashSet<(string, string)> known = [.. all.Run().Select(row => (row.Name, row.Shape))];
        all.Dispose();
        long bytes = Device.LiveBytes;
        Device.ResetPeak();

        using var none = new OperationBenchmark(Device, Sizes, 1, 1);
        Assert.That(none.Run("no such operation"), Is.Empty);
        Assert.That(none.Run(known: known), Is.Empty);
        Assert.That(Device.PeakBytes, Is.EqualTo(bytes));
        // Another shape of the same operation is not known.
        foreach ((string shape, int rows) in new[] { ("8x64", 1), ("9x64", 0) })
            Assert.That(none.Run("column sum", new HashSet<(string, string)> { ("column sum", shape) }).Count(),
                Is.EqualTo(rows));
    }

    [Test]
    public void OfAModelOnlyWhatIsMissingIsTimed()
    {
        HashSet<(string, string)> known =
            [("forward tiny", "batch 2"), ("AdamW", "any tensors"), ("stage 2 step clips", "batch 2 of 2 frames")];

        IEnumerable<BenchmarkRow> rows = new ModelBenchmark(Device, Sizes, 1, 1).Run(known: known);

        Assert.That(rows.Select(row => row.Name), Is.EqualTo(new[]
        {
            "stage 1 step tiny", "stage 2 step tiny", "gradient norm", "forward clips", "stage 1 step clips",
        }));
    }

    [Test]
    public void AttentionIsComparedWithItsBytesWhereTheyTakeLonger()
    {
        using var benchmark = new OperationBenchmark(Device, Sizes, double.PositiveInfinity, 1);

        // Two samples of five tokens and 64 features, 16 bits each: four such arrays forward, eight backward.
        Assert.That(benchmark.Run("attention").Select(row => row.Ratio * row.Milliseconds * 1e6),
            Is.EqualTo(new[] { 4 * 1280.0, 8 * 1280.0 }).Within(1e-6).Percent);
    }

    [Test]
    public void BothStagesAndTheOptimizerAreTimed()
    {
        List<BenchmarkRow> rows = [.. new ModelBenchmark(Device, Sizes, 1, 1).Run()];

        Assert.That(rows.Select(row => $"{row.Name}, {row.Shape}").Where(row => !row.Contains(" tensors")),
            Is.EqualTo(new[]
        {
            "forward tiny, batch 2", "stage 1 step tiny, batch 3", "stage 2 step tiny, batch 3",
            "forward clips, batch 1", "stage 1 step clips, batch 2 of 2 frames",
            "stage 2 step clips, batch 2 of 2 frames",
        }));
        Assert.That(rows.Select(row => row.Name), Does.Contain("AdamW").And.Contains("gradient norm"));
        // Weight, gradient and two moments, of which three are written too; the copy in 16 bits of what products take:
        // the patches' map and the blocks' matrices.
        BenchmarkRow stepping = rows.Single(row => row.Name == "AdamW");
        int count = int.Parse(stepping.Shape.Split(' ')[0]), width = Config.VisionWidth,
            multiplied = width * (3 * Config.PatchSize * Config.PatchSize + 12 * width);
        Assert.That(stepping.GigabytesPerSecond * stepping.Milliseconds * 1e6,
            Is.EqualTo(28.0 * count + 2.0 * multiplied).Within(1));
        Assert.That(new ModelBenchmark(Device, Sizes, 1, 1).Run("stage 2 step clips").Count(), Is.EqualTo(1));
    }

    [TestCase(true, true, "Peak WarpgroupProducts Fp16")]
    [TestCase(true, false, "Peak Products Fp16")]
    [TestCase(false, false, "Peak MultiplyAdds")]
    public void FloorsAreMeasured(bool tensorCores, bool wgmma, string kernel)
    {
        using var device = new InterpretedDevice { TensorCores = tensorCores, Hopper = wgmma };
        Assert.That(GpuRoofline.MeasureGflops(device, 2), Is.GreaterThan(0));
        // How many products a turn has is a matter of the text: KernelTextTests counts them.
        Assert.That(device.Launched.Single().Name, Is.EqualTo(kernel));
        Assert.That(GpuRoofline.MeasureBandwidth(device, 1 << 10), Is.GreaterThan(0));
    }
}
