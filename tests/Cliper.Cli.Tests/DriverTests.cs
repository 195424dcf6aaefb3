using System.Diagnostics;

namespace Cliper.Cli.Tests;

/// <summary>
/// What the driver may answer, with a stand-in for it (Driver/cuda.c) that the program finds as libcuda.so.1, alone in its folder.
/// Without a C compiler there is none, and these tests are left out.
/// </summary>
public sealed class DriverTests
{
    private string _folder = "";

    [OneTimeSetUp]
    public void Build()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/cc"))
            Assert.Ignore("no C compiler");
        _folder = Directory.CreateTempSubdirectory("cliper-driver").FullName;
        using Process cc = Process.Start("cc",
            ["-shared", "-fPIC", "-o", Path.Combine(_folder, "libcuda.so.1"), Path.Combine(AppContext.BaseDirectory, "Driver", "cuda.c")]);
        cc.WaitForExit();
        Assert.That(cc.ExitCode, Is.Zero);
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [TestCase("FAKE_VERSION=11040", "cuda", "driver is for CUDA 11.4, too old; one for 11.8 or later is needed, or --device cpu")]
    [TestCase("FAKE_INIT=100", "cuda", "the NVIDIA driver finds none; use --device cpu")]
    [TestCase("FAKE_COUNT=0", "cuda", "the NVIDIA driver finds none; use --device cpu")]
    [TestCase("FAKE_COUNT=2", "cuda:2", "there is no CUDA device 2: this machine has 2, numbered from 0")]
    [TestCase("FAKE_CAPABILITY=61", "cuda", "has compute capability 6.1; the kernels need 7.0 (Volta) or later: use --device cpu")]
    [TestCase("FAKE_CAPABILITY=75", "cuda --precision bf16",
        "has compute capability 7.5; bf16 needs 8.0 (Ampere) or later: use --precision fp16")]
    [TestCase("FAKE_FREE_MIB=32", "cuda", "32 MiB of 4096 MiB free; at least 64 MiB are needed: end what else uses the card")]
    [TestCase("FAKE_FREE_MIB=128", "cuda --gpu-memory 256MiB", "128 MiB of 4096 MiB free; 256 MiB were asked for: lower --gpu-memory")]
    [TestCase("FAKE_ALLOC=2", "cuda", "out of GPU memory: 921 MiB were asked for, 1024 MiB of 4096 MiB were free: lower --gpu-memory")]
    [TestCase("FAKE_LOAD=222", "cuda", "(PTX 7.8, CUDA error 222): ptxas fatal: Unsupported .version 7.8; current version is '7.4'; "
        + "a newer driver")]
    public void ACardThatCannotBeOpenedIsOneLine(string driver, string device, string message)
    {
        ProgramRun run = Run(driver, $"bench --only softmax --device {device}");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error.Trim(), Does.StartWith("cliper-gpu: ").And.Contain(message).And.Not.Contain("\n"));
    }

    [TestCase("cuda")]
    [TestCase("auto")]
    public void ACardLostAtWorkEndsTheRun(string device)
    {
        ProgramRun run = Run("FAKE_LAUNCHES=3", $"bench --only softmax --device {device}");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.Contain("cliper-gpu: the GPU stopped, ").And.Contain("CUDA_ERROR_LAUNCH_FAILED")
            .And.Not.Contain("on the processor"));
    }

    [Test]
    public void TooSmallAReservationSaysWhatToLower()
    {
        ProgramRun run = Run("FAKE_COUNT=1", "bench --only matmul --device cuda --gpu-memory 64MiB");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.Match(@"cliper-gpu: out of GPU memory: \d+ MiB were asked for, \d+ MiB of the 64 MiB reserved are "
            + "free; a smaller batch, .*--gpu-memory reserves more"));
    }

    [Test]
    public void AutoFallsBackBeforeWorkAndSaysWhy()
    {
        ProgramRun run = Run("FAKE_CAPABILITY=61", "doctor --json --threads 1 --device auto");

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Does.Contain("computing on the processor: Stand-in has compute capability 6.1"));
    }

    [Test]
    public void WithoutADriverAutoComputesOnTheProcessorWithoutAWord()
    {
        // The loader stops at the first file of the name; one that is no library is as good as none, whatever the machine has.
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "none")).FullName;
        File.WriteAllText(Path.Combine(folder, "libcuda.so.1"), "not a library");

        ProgramRun auto = ProgramRun.Shell($"LD_LIBRARY_PATH='{folder}' $PROGRAM doctor --json --threads 1 --device auto");
        ProgramRun cuda = ProgramRun.Shell($"LD_LIBRARY_PATH='{folder}' $PROGRAM doctor --json --threads 1 --device cuda");

        Assert.That((auto.ExitCode, auto.Error), Is.EqualTo((0, "")));
        Assert.That(auto.Json.GetProperty("gpuReason").GetString(), Does.Contain("this machine has no NVIDIA driver"));
        Assert.That((cuda.ExitCode, cuda.Out), Is.EqualTo((4, "")));
        Assert.That(cuda.Error, Does.Contain("this machine has no NVIDIA driver"));
    }

    // The stand-in's kernels compute nothing, so that no operation passes; which were chosen is seen all the same.
    [TestCase("FAKE_CAPABILITY=90 FAKE_VERSION=12000", true)]
    [TestCase("FAKE_CAPABILITY=90 FAKE_VERSION=11080", false)]
    [TestCase("FAKE_CAPABILITY=100 FAKE_VERSION=13000", false)]
    public void OnlyAHopperCardWithANewEnoughDriverIsGivenWgmma(string driver, bool wgmma)
    {
        ProgramRun run = Run(driver, "doctor --json --threads 1 --device cuda");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
        Assert.That(run.Out, Does.Contain("\"tensor cores\""));
        Assert.That(run.Out.Contains("\"tensor cores, wgmma\""), Is.EqualTo(wgmma));
    }

    private ProgramRun Run(string driver, string args) =>
        ProgramRun.Shell($"LD_LIBRARY_PATH='{_folder}' {driver} $PROGRAM {args}");
}
