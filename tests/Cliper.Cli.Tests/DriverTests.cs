using System.Diagnostics;
using System.Text.Json;

namespace Cliper.Cli.Tests;

/// <summary>
/// The program against the answers that a driver may give, with a fake driver (Driver/cuda.c) that it finds as
/// libcuda.so.1, alone in its folder. Without a C compiler there is none, and these tests are skipped.
/// </summary>
public sealed class DriverTests
{
    private const string Refused =
        "cliper-gpu: steps are launched kernel by kernel: Stand-in's driver makes no CUDA graph of them ";

    private string _folder = "";

    // Training runs on the fake driver that several tests look at; in the second one commands execute only when
    // somebody waits for them.
    private Lazy<ProgramRun> _plain = null!, _late = null!;

    [OneTimeSetUp]
    public void Build()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/cc"))
            Assert.Ignore("no C compiler");
        _folder = Directory.CreateTempSubdirectory("cliper-driver").FullName;
        using Process cc = Process.Start("cc",
            ["-shared", "-fPIC", "-o", Path.Combine(_folder, "libcuda.so.1"), Path.Combine(AppContext.BaseDirectory,
            "Driver", "cuda.c")]);
        cc.WaitForExit();
        Assert.That(cc.ExitCode, Is.Zero);
        _plain = new Lazy<ProgramRun>(() => Train("", "plain"));
        _late = new Lazy<ProgramRun>(() => Train("FAKE_LATE=work", "work"));
    }

    [OneTimeTearDown]
    public void Remove()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [TestCase("FAKE_VERSION=11040", "cuda",
        "driver is for CUDA 11.4, too old; one for 11.8 or later is needed; install one, or use --device cpu")]
    [TestCase("FAKE_INIT=100", "cuda", "the NVIDIA driver finds none; use --device cpu")]
    [TestCase("FAKE_INIT=802", "cuda", "the NVIDIA driver does not start: "
        + "cuInit failed: CUDA_ERROR_SYSTEM_NOT_READY (802); use --device cpu")]
    [TestCase("FAKE_COUNT=0", "cuda", "the NVIDIA driver finds none; use --device cpu")]
    [TestCase("FAKE_OPEN=46", "cuda",
        "Stand-in cannot be used now: another program has it to itself (its compute mode), or nobody may "
        + "have it; choose another GPU with --device cuda:N, or use --device cpu")]
    [TestCase("FAKE_COUNT=2", "cuda:2",
        "there is no CUDA device 2: this machine has 2, numbered from 0; choose one with --device cuda:N")]
    [TestCase("FAKE_CAPABILITY=61", "cuda",
        "has compute capability 6.1; the kernels need 7.0 (Volta) or later: use --device cpu")]
    [TestCase("FAKE_CAPABILITY=75", "cuda --precision bf16",
        "has compute capability 7.5; bf16 needs 8.0 (Ampere) or later: use --precision fp16")]
    [TestCase("FAKE_FREE_MIB=32", "cuda",
        "32 MiB of 4096 MiB free; at least 64 MiB are needed: end what else uses the GPU")]
    [TestCase("FAKE_FREE_MIB=128", "cuda --gpu-memory 256MiB",
        "128 MiB of 4096 MiB free; 256 MiB were asked for: lower --gpu-memory")]
    [TestCase("FAKE_ALLOC=2", "cuda",
        "out of GPU memory: 921 MiB were asked for, 1024 MiB of 4096 MiB were free; lower --gpu-memory")]
    [TestCase("FAKE_LOAD=2", "cuda",
        "out of GPU memory, loading Element Sum GlobalPtr16<Fp16> GlobalPtr16<Fp16> GlobalPtr16<Fp16>: "
        + "cuModuleLoadDataEx failed: CUDA_ERROR_OUT_OF_MEMORY (2); lower --gpu-memory")]
    [TestCase("FAKE_LOAD=222", "cuda",
        "(PTX 7.8): cuModuleLoadDataEx failed: CUDA_ERROR_OTHER (222): ptxas fatal: Unsupported "
        + ".version 7.8; current version is '7.4'; a newer driver may take it, or use --device cpu")]
    public void AGpuThatCannotBeOpenedIsOneLine(string driver, string device, string message)
    {
        ProgramRun run = Run(driver, $"bench --only softmax --device {device}");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error.Trim(), Does.StartWith("cliper-gpu: ").And.Contain(message).And.Not.Contain("\n"));
    }

    [TestCase("cuda")]
    [TestCase("auto")]
    public void AGpuLostAtWorkEndsTheRun(string device)
    {
        ProgramRun run = Run("FAKE_LAUNCHES=3", $"bench --only softmax --device {device}");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error,
            Does.Contain("cliper-gpu: the GPU stopped").And.Contain("failed: CUDA_ERROR_LAUNCH_FAILED (719); ")
            .And.Not.Contain("on the processor"));
    }

    // A kernel's fault shows at the next synchronization. The first launches measure the peak of the tensor cores.
    [TestCase("", "")]
    [TestCase("CLIPER_CUDA_SYNC=1", ", running Peak Products Fp16")]
    public void AFaultNamesItsKernelWhereEachIsSynchronizedWith(string sync, string work)
    {
        ProgramRun run = Run($"FAKE_FAULT_KERNEL=3 {sync}", "bench --only softmax --device cuda");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.Contain($"cliper-gpu: the GPU stopped{work}: "
            + "cuStreamSynchronize failed: CUDA_ERROR_ILLEGAL_ADDRESS (700); ")
            .And.Contain("CLIPER_CUDA_SYNC=1 says, which names the kernel"));
    }

    [Test]
    public void AKernelThatNeverEndsIsNamedWhereEachIsSynchronizedWith()
    {
        string error = Path.Combine(_folder, "hang.txt");
        // The program never ends by itself.
        ProgramRun run = ProgramRun.Shell($"LD_LIBRARY_PATH='{_folder}' FAKE_HANG=1 CLIPER_CUDA_SYNC=1 $PROGRAM "
            + $"bench --only softmax --device cuda 2>'{error}' & for s in $(seq 200); do sleep 1; "
            + $"grep -q 'not ended' '{error}' && break; done; kill -9 $!; cat '{error}'");

        Assert.That(run.Out, Does.Contain(
            "cliper-gpu: running Peak Products Fp16 on Stand-in has not ended after 10 s"));
    }

    [Test]
    public void WhereEachKernelIsSynchronizedWithNoGraphsAreMade()
    {
        ProgramRun run = Train("CLIPER_CUDA_SYNC=1", "awaited");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That((Count(Log("awaited"), "captured"), Count(Log("awaited"), "replay")), Is.EqualTo((0, 0)));
    }

    [Test]
    public void AKernelThatTheDriverMakesSlowIsSaid()
    {
        const string Log = "ptxas info    : Used 255 registers, 8 bytes spill stores, 8 bytes spill loads";
        ProgramRun run = Run($"FAKE_INFO_LOG='{Log}'", "bench --only softmax --device cuda");

        Assert.That(run.Error, Does.Contain("cliper-gpu: Peak Products Fp16 is slower than it should be, as "
            + "Stand-in's driver compiles it: 8 bytes spill stores\n"));
    }

    [Test]
    public void ASecondStartFindsThePtxOfTheFirst()
    {
        string cache = Path.Combine(_folder, "second");
        string start = $"FAKE_LAUNCHES=3 CLIPER_PTX_CACHE='{cache}'";
        // Whatever is compiled is written, so a file that has not been written again has not been compiled again.
        Dictionary<string, DateTime> Files() => Directory.GetFiles(cache, "*.ptx", SearchOption.AllDirectories)
            .ToDictionary(file => file, File.GetLastWriteTimeUtc);

        Run(start, "bench --only softmax --device cuda");
        Dictionary<string, DateTime> first = Files();
        Run(start, "bench --only softmax --device cuda");

        // This is the kernel that is loaded when a GPU is opened.
        Assert.That(first.Keys.Select(Path.GetFileName),
            Has.One.StartsWith("Element-Sum-GlobalPtr16-Fp16-GlobalPtr16-Fp16-GlobalPtr16-Fp16-"));
        Assert.That(Files(), Is.SupersetOf(first));
    }

    [Test]
    public void TooSmallAReservationSaysWhatToLower()
    {
        ProgramRun run = Run("FAKE_COUNT=1", "bench --only matmul --device cuda --gpu-memory 64MiB");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error,
            Does.Match(@"cliper-gpu: out of GPU memory: \d+ MiB were asked for, \d+ MiB of the 64 MiB reserved are "
            + "free; --gpu-memory reserves more"));
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
        // The loader stops at the first file of the name; one that is no library is as good as none, whatever the
        // machine has.
        string folder = Directory.CreateDirectory(Path.Combine(_folder, "none")).FullName;
        File.WriteAllText(Path.Combine(folder, "libcuda.so.1"), "not a library");

        ProgramRun auto =
            ProgramRun.Shell($"LD_LIBRARY_PATH='{folder}' $PROGRAM doctor --json --threads 1 --device auto");
        ProgramRun cuda =
            ProgramRun.Shell($"LD_LIBRARY_PATH='{folder}' $PROGRAM doctor --json --threads 1 --device cuda");

        Assert.That((auto.ExitCode, auto.Error), Is.EqualTo((0, "")));
        Assert.That(auto.Json.GetProperty("gpuReason").GetString(), Does.Contain("this machine has no NVIDIA driver"));
        Assert.That((cuda.ExitCode, cuda.Out), Is.EqualTo((4, "")));
        Assert.That(cuda.Error, Does.Contain("this machine has no NVIDIA driver"));
    }

    // The fake driver's kernels compute nothing, so no operation passes; the chosen implementation shows all the same.
    [TestCase("FAKE_CAPABILITY=90 FAKE_VERSION=12000", true)]
    [TestCase("FAKE_CAPABILITY=90 FAKE_VERSION=11080", false)]
    [TestCase("FAKE_CAPABILITY=100 FAKE_VERSION=13000", false)]
    public void OnlyAHopperGpuWithANewEnoughDriverIsGivenWgmma(string driver, bool wgmma)
    {
        ProgramRun run = Run(driver, "doctor --json --threads 1 --device cuda");

        Assert.That(run.ExitCode, Is.EqualTo(1), run.Error);
        Assert.That(run.Out, Does.Contain("\"tensor cores\""));
        Assert.That(run.Out.Contains("\"tensor cores, wgmma\""), Is.EqualTo(wgmma));
    }

    [Test]
    public void StepsThatComeAgainAreReplayedAndTheDriverIsAskedForMemoryOnlyAtTheStart()
    {
        Assert.That(_plain.Value.ExitCode, Is.Zero, _plain.Value.Error);
        string[] log = Log("plain");

        // Eight steps in each stage. The first two make what lasts (moments, copies of weights); then all repeat one of
        // two, which differ in the buffer of the steps' pair that they use.
        Assert.That(Count(log, "replay"), Is.GreaterThanOrEqualTo(2 * 4));
        Assert.That(Count(log, "captured"), Is.InRange(2, 2 * 2));
        Assert.That(Count(log, "ended"), Is.EqualTo(Count(log, "captured")), "graphs left");
        Assert.That((Count(log, "allocate"), Count(log, "pin")), Is.EqualTo((1, 4)));
        Assert.That(Array.FindLastIndex(log, line => line.StartsWith("pin", StringComparison.Ordinal)),
            Is.LessThan(Array.FindIndex(log, line => line.StartsWith("upload", StringComparison.Ordinal))));
        Assert.That(log.Where(line => line.StartsWith("load", StringComparison.Ordinal)).Distinct().Count(),
            Is.GreaterThan(1), "threads that load");
    }

    [Test]
    public void TheWholeNextBatchIsUploadedBeforeTheStepIsWaitedFor()
    {
        Assert.That(_late.Value.ExitCode, Is.Zero, _late.Value.Error);
        string[] log = Log("work");

        // The bytes of eight images, uploaded together.
        const int Pixels = 8 * 3 * 16 * 16;
        int ahead = 0;
        for (int at = 0; at < log.Length; at++)
            if (log[at].StartsWith("replay", StringComparison.Ordinal))
            {
                int read = Array.FindIndex(log, at, line => line.StartsWith("download", StringComparison.Ordinal));
                ahead += log.AsSpan(at..read).Contains($"upload {Pixels}") ? 1 : 0;
            }
        // The last step of an epoch has none that follows.
        Assert.That(ahead, Is.GreaterThanOrEqualTo(Count(log, "replay") - 2 * 2).And.Positive);
        // No upload waits for a step, nor, here and in the evaluations, for any other work: the buffers are larger than
        // all of it.
        Assert.That(Count(log, "eventsync-waits"), Is.Zero);
    }

    // Kernels do nothing here: a model comes back from the GPU as it went there.
    [TestCase("uploads")]
    [TestCase("work")]
    public void NothingIsReadOrWrittenOverBeforeItsTurn(string late)
    {
        Assert.That(_plain.Value.ExitCode, Is.Zero, _plain.Value.Error);
        ProgramRun run = late == "work" ? _late.Value : Train($"FAKE_LATE={late}", late);

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(File.ReadAllBytes(Path.Combine(_folder, late, "checkpoints", "model.safetensors"))
            .SequenceEqual(File.ReadAllBytes(Path.Combine(_folder, "plain", "checkpoints", "model.safetensors"))));
    }

    [Test]
    public void AGraphThatTheDriverRefusesIsSaidOnceAndStepsAreLaunched()
    {
        ProgramRun run = Train("FAKE_CAPTURED_LAUNCH=2", "refused");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Error.Split('\n').Count(line => line.StartsWith(Refused + "(out of GPU memory, launching",
            StringComparison.Ordinal)),
            Is.EqualTo(1), run.Error);
        Assert.That(Count(Log("refused"), "replay"), Is.Zero);
    }

    [Test]
    public void WithoutGraphsNoneIsMade()
    {
        ProgramRun run = Train("", "launched", "--no-graphs");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That((Count(Log("launched"), "captured"), Count(Log("launched"), "replay")), Is.EqualTo((0, 0)));
    }

    [Test]
    public void AGpuLostInAReplayEndsTheRun()
    {
        ProgramRun run = Train("FAKE_REPLAYS=3", "lost");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.Contain("cliper-gpu: the GPU stopped, replaying a step: "
            + "cuGraphLaunch failed: CUDA_ERROR_LAUNCH_FAILED (719); the run has to start again"));
    }

    [TestCase("FAKE_CAPABILITY=80", true, "")]
    [TestCase("FAKE_CAPABILITY=75", false, "")]
    [TestCase("FAKE_CAPTURE=801", true, Refused + "(cuStreamBeginCapture failed: CUDA_ERROR_NOT_SUPPORTED (801))")]
    [TestCase("FAKE_INSTANTIATE=2", true,
        Refused + "(cuGraphInstantiateWithFlags failed: CUDA_ERROR_OUT_OF_MEMORY (2))")]
    public void DoctorSaysWhetherTensorCoresAndGraphsAreUsed(string driver, bool tensorCores, string refused)
    {
        // The driver's compiler says this of every kernel, and so doctor does.
        const string Log = "ptxas info    : Used 40 registers, 0 bytes spill stores, 0 bytes spill loads";
        ProgramRun run = Run($"FAKE_INFO_LOG='{Log}' {driver}", "doctor --json --threads 1 --device cuda");

        JsonElement[] logs = [.. run.Json.GetProperty("kernelLogs").EnumerateArray()];
        Assert.That(logs.Select(entry => entry.GetProperty("kernel").GetString()),
            Is.Unique.And.Contains("Element Sum GlobalPtr16<Fp16> GlobalPtr16<Fp16> GlobalPtr16<Fp16>"));
        Assert.That(logs.Select(entry => entry.GetProperty("log").GetString()), Has.All.EqualTo(Log));
        JsonElement gpu = run.Json.GetProperty("gpu");
        Assert.That((gpu.GetProperty("tensorCores").GetBoolean(), gpu.GetProperty("graphs").GetBoolean()),
            Is.EqualTo((tensorCores, refused.Length == 0)));
        Assert.That(run.Error.Trim(), Is.EqualTo(refused));
    }

    private static int Count(string[] log, string what) =>
        log.Count(line => line.StartsWith(what, StringComparison.Ordinal));

    private string[] Log(string run) => File.ReadAllLines(Path.Combine(_folder, run + ".log"));

    private ProgramRun Train(string driver, string run, string options = "")
    {
        string data = Path.Combine(_folder, "data");
        if (!Directory.Exists(data))
            foreach ((string split, int count) in new[] { ("train", 12), ("test", 4) })
                for (int label = 0; label < 3; label++)
                    for (int index = 0; index < count; index++)
                        RunTests.Draw(Path.Combine(data, split, $"{label}", $"{index}.png"), label,
                            split.Length * 100 + index);
        return Run($"FAKE_LOG='{_folder}/{run}.log' {driver}",
            $"train --device cuda --out '{_folder}/{run}' --overwrite --pretrain-epochs 1 "
            + $"{options} {string.Join(' ', RunTests.TinyOn(data).Select(word => $"'{word}'"))} --set "
            + "stage1.epochs=2 --set stage2.epochs=2");
    }

    private ProgramRun Run(string driver, string args) =>
        ProgramRun.Shell($"LD_LIBRARY_PATH='{_folder}' CLIPER_PTX_CACHE='{_folder}/ptx' {driver} $PROGRAM {args}");
}
