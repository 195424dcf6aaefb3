using System.Text.Json;
using Cliper.Kernels.Cpu;
using Cliper.Model.Weights;

namespace Cliper.Cli.Tests;

/// <summary>--precision on the processor.</summary>
public sealed class PrecisionTests
{
    [Test]
    public void Doctor_SaysWhatBf16WouldGive_AndComputesInFp32ByItself([Values("auto", "fp32")] string precision)
    {
        ProgramRun run = ProgramRun.InProcess("doctor", "--json", "--threads", "1", "--device", "cpu", "--precision",
            precision);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("operands").GetString(), Is.EqualTo("fp32"));
        JsonElement peak = run.Json.GetProperty("bf16PeakGflops");
        if (Bf16Support.Missing is null)
            Assert.That(peak.GetDouble(), Is.Positive);
        else
            Assert.That(peak.ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void Doctor_ChecksTheOperationsInBf16()
    {
        NeedBf16();
        ProgramRun run = ProgramRun.InProcess("doctor", "--json", "--threads", "1", "--device", "cpu", "--precision",
            "bf16");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("operands").GetString(), Is.EqualTo("bf16"));
        Assert.That(run.Json.GetProperty("passed").GetBoolean());
        double gradient = run.Json.GetProperty("operations").EnumerateArray()
            .Single(operation => operation.GetProperty("name").GetString() == "attention").GetProperty("deviation")
            .GetDouble();
        Assert.That(gradient, Is.GreaterThan(1e-5), "probabilities are rounded");
    }

    [Test]
    public void WithoutTheInstruction_Bf16IsRefusedByName()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("for a shell");
        ProgramRun run = ProgramRun.Shell("DOTNET_EnableAVX512=0 $PROGRAM doctor --device cpu --precision bf16");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.Match("^cliper-gpu: this CPU cannot multiply in bf16: .*(AVX512_BF16|VDPBF16PS).*"
            + "; use --precision fp32\n$"));
    }

    [Test]
    public void Embed_InBf16_IsNearFp32()
    {
        NeedBf16();
        string folder = Directory.CreateTempSubdirectory("cliper-precision-").FullName;
        try
        {
            float[] exact = Features("fp32"), rounded = Features("bf16");
            double difference = Math.Sqrt(exact.Zip(rounded, (a, b) => Math.Pow(a - b, 2)).Sum()),
                length = Math.Sqrt(exact.Sum(value => (double)value * value));
            // u16 sqrt(4 (d + 1)) after the d = 12 blocks that a tower has at most: see Bf16GoldenTests.
            Assert.That(difference / length, Is.Positive.And.LessThan(Math.Sqrt(4 * 13) / 256));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        float[] Features(string precision)
        {
            string file = Path.Combine(folder, precision + ".safetensors");
            ProgramRun run = ProgramRun.InProcess("embed", "--weights",
                Path.Combine(Checkout.Root, "src/Cliper.Model/models/faces-clip.safetensors"), "--images",
                Path.Combine(Checkout.Root, "docs/images/happy-baby.jpg"), "--out", file, "--device", "cpu",
                "--precision", precision);
            Assert.That(run.ExitCode, Is.Zero, run.Error);
            using TensorSource source = TensorSource.Open(file);
            return source.ReadFloats(source.Tensors.Keys.Single(name => name.Contains("image")));
        }
    }

    [Test]
    public void Train_InBf16_EndsWithAModelThatAnswers()
    {
        NeedBf16();
        string folder = Directory.CreateTempSubdirectory("cliper-precision-").FullName;
        try
        {
            string[] settings =
            [
                "drawnPictures=35", "shape.imageSize=32", "shape.patchSize=16", "shape.visionWidth=64",
                "shape.visionLayers=1", "shape.textWidth=64", "shape.textLayers=1", "shape.embedSize=32",
                "pretrain.epochs=1", "pretrain.learningRate=1e-3", "pretrain.batchSize=16", "stage1.epochs=1",
                "stage1.batchSize=16", "stage2.epochs=1", "stage2.batchSize=16",
            ];
            string run = Path.Combine(folder, "run");
            ProgramRun trained = ProgramRun.InProcess(["train", "--recipe", "demo", "--out", run, "--device", "cpu",
                "--precision", "bf16", .. settings.SelectMany(value => new[] { "--set", value })]);
            Assert.That(trained.ExitCode, Is.Zero, trained.Error);

            ProgramRun answer = ProgramRun.InProcess("predict", "--model", run, "--faces", "none", "--device", "cpu",
                "--precision", "bf16", Path.Combine(Checkout.Root, "docs/images/happy-baby.jpg"));
            Assert.That(answer.ExitCode, Is.Zero, answer.Error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void NeedBf16()
    {
        if (Bf16Support.Missing is { } missing)
            Assert.Ignore($"no VDPBF16PS here: {missing}");
    }
}
