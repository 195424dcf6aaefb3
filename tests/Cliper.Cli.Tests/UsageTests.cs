using System.Diagnostics;
using Cliper.Cli.Commands;
using Cliper.Model.Settings;

namespace Cliper.Cli.Tests;

public sealed class UsageTests
{
    [TestCase("unknown command 'doktor'; did you mean 'doctor'?", "doktor")]
    [TestCase("unknown command 'insepct'; did you mean 'inspect'?", "weights", "insepct")]
    [TestCase("unknown option '--jsn'; did you mean '--json'?", "doctor", "--jsn")]
    [TestCase("unknown option '--thread'; did you mean '--threads'?", "doctor", "--thread=3")]
    [TestCase("unknown option '--nothing-like-it'", "doctor", "--device", "--nothing-like-it")]
    [TestCase("Required command was not provided", "data")]
    [TestCase("Required argument missing for option: '--threads'", "doctor", "--threads")]
    [TestCase("Cannot parse argument 'two' for option '--threads' as expected type 'System.Int32'", "doctor",
        "--threads", "two")]
    public void AWrongCommandLineIsOneSentence(string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(args);

        Assert.That(run.ExitCode, Is.EqualTo(2));
        Assert.That(run.Out, Is.Empty);
        Assert.That(run.Error,
            Does.StartWith($"cliper-gpu: {message}\n'cliper-gpu").And.EndsWith("lists what there is.\n"));
    }

    [TestCase("--threads is -1; it must lie within 0 and 1024", "doctor", "--threads", "-1")]
    [TestCase("--device is 'cpo'; there are auto, cpu, cuda, cuda:N, emulated; did you mean 'cpu'?", "doctor",
        "--device", "cpo")]
    [TestCase("--device is 'cuda:one'; a card is named by its number from 0, such as cuda:1", "doctor", "--device",
        "cuda:one")]
    [TestCase("--gpu-memory is '8 gigs'; expected a size above zero with its unit, such as 8GiB or 500MiB", "doctor",
        "--gpu-memory", "8 gigs")]
    [TestCase("--gpu-memory is '0MiB'; expected a size above zero with its unit, such as 8GiB or 500MiB", "doctor",
        "--gpu-memory", "0MiB")]
    [TestCase("--gpu-memory is for a card, and --device is emulated: leave one of them out", "doctor", "--gpu-memory",
        "1GB", "--device", "emulated")]
    [TestCase("--gpu-memory is for a card, and --device is cpu: leave one of them out", "doctor", "--gpu-memory",
        "1.5GB", "--device", "cpu")]
    [TestCase("--precision is 'bf61'; there are fp32, fp16, bf16, auto; did you mean 'bf16'?", "doctor", "--precision",
        "bf61", "--device", "emulated")]
    [TestCase("--precision fp16 is for a GPU, and this is the processor: use fp32, or bf16 where doctor says that it "
        + "can", "doctor", "--precision", "fp16", "--device", "cpu")]
    [TestCase("--precision fp32 is for the processor, and --device is emulated: use fp16 or bf16", "doctor",
        "--precision", "fp32", "--device", "emulated")]
    public void AWrongValueIsOneSentence(string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess(args);

        Assert.That((run.ExitCode, run.Out, run.Error), Is.EqualTo((2, "", $"cliper-gpu: {message}\n")));
    }

    [Test]
    public void ADeviceThatIsNotThereHasItsOwnExitCode()
    {
        ProgramRun run = ProgramRun.InProcess("doctor", "--device", "cuda");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((4, "")));
        Assert.That(run.Error, Does.StartWith("cliper-gpu: no usable CUDA device").And.Contain("--device cpu"));
    }

    [TestCase(true, "out of memory: a smaller batch, or more accumulated micro-batches of a smaller one, needs less")]
    [TestCase(false, "out of memory")]
    public void OnlyATrainingCanTakeASmallerBatch(bool trains, string message) =>
        Assert.That(ExitCode.Message(new InsufficientMemoryException(), trains), Is.EqualTo(message));

    [Test]
    public void HelpIsAsRecorded([ValueSource(nameof(Commands))] string command)
    {
        ProgramRun run = ProgramRun.InProcess([.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Error, Is.Empty);
        Snapshot.Matches($"help{(command.Length == 0 ? "" : "-")}{command.Replace(' ', '-')}.txt", run.Out);
    }

    [Test]
    public void Recipes_AreListed_AndShownAsTheSettingsThatTrainPrints()
    {
        ProgramRun list = ProgramRun.InProcess("recipes"), json = ProgramRun.InProcess("recipes", "--json");
        ProgramRun shown = ProgramRun.InProcess("recipes", "show", "rafdb");
        ProgramRun printed = ProgramRun.InProcess("train", "--recipe", "rafdb", "--print-settings");

        Assert.That(list.Out.Split('\n').Where(line => line.Length > 0).Select(line => line.Trim().Split(' ')[0]),
            Is.EqualTo(Recipes.Names));
        Assert.That(json.Json.EnumerateObject().Select(recipe => recipe.Name), Is.EqualTo(Recipes.Names));
        Assert.That((shown.ExitCode, shown.Out), Is.EqualTo((0, printed.Out)));
    }

    [TestCase("cliper-gpu pre", "predict", "pretrain")]
    [TestCase("/usr/bin/cliper-gpu train --recipe fer2", "fer2013")]
    [TestCase("cliper-gpu train --dev", "--device")]
    [TestCase("cliper-gpu weights ins", "inspect")]
    [TestCase("cliper-gpu predict --model dr", "drawn-faces")]
    [TestCase("cliper-gpu predict --faces n", "none")]
    [TestCase("cliper-gpu train --method co", "coop", "cocoop")]
    [TestCase("cliper-gpu compare --methods co", "coop", "cocoop")]
    [TestCase("cliper-gpu sweep --preset l", "losses")]
    public void CompletionSuggestsWhatBeginsLikeTheLastWord(string line, params string[] expected)
    {
        ProgramRun run = ProgramRun.InProcess($"[suggest:{line.Length}]", line);

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out.Split('\n').Where(word => word.StartsWith(line.Split(' ')[^1], StringComparison.Ordinal)),
            Is.EquivalentTo(expected));
    }

    [TestCase("bash"), TestCase("zsh"), TestCase("fish"), TestCase("powershell")]
    public void CompletionPrintsAScriptThatAsksTheProgram(string shell)
    {
        ProgramRun run = ProgramRun.InProcess("completion", shell);

        Assert.That(run.ExitCode, Is.Zero);
        Assert.That(run.Out, Does.Contain("[suggest:"));
    }

    [Test]
    public void TheScriptOfBash_CompletesInBash()
    {
        if (!File.Exists("/bin/bash"))
            Assert.Ignore("there is no /bin/bash");
        string script = ProgramRun.InProcess("completion", "bash").Out;
        // A stand-in answers, so that the script alone is tested.
        const string Asked = """
            cliper-gpu() { echo "predict"; echo "pretrain"; echo "$1|$2" >&3; }
            COMP_WORDS=(cliper-gpu pred) COMP_CWORD=1 COMP_LINE="cliper-gpu pred" COMP_POINT=15
            _cliper_gpu 3>&1
            echo "${COMPREPLY[*]}"
            """;
        using var bash = Process.Start(new ProcessStartInfo("/bin/bash", ["-c", script + Asked])
        {
            RedirectStandardOutput = true,
        })!;
        string output = bash.StandardOutput.ReadToEnd();
        bash.WaitForExit();

        Assert.That(output, Is.EqualTo("[suggest:15]|cliper-gpu pred\npredict\n"));
    }

    [Test]
    public void ABareCallPrintsHelp()
    {
        ProgramRun bare = ProgramRun.InProcess(), asked = ProgramRun.InProcess("--help");

        Assert.That((bare.ExitCode, bare.Out, bare.Error), Is.EqualTo((0, asked.Out, "")));
    }

    [Test]
    public void EveryCommandHasExamplesThatItTakes([ValueSource(nameof(Commands))] string command)
    {
        using var nowhere = new StringWriter();
        var terminal = new Terminal(nowhere, nowhere);
        IReadOnlyList<string> examples = Examples.Of(command);

        Assert.That(examples, Has.Count.InRange(1, 3));
        foreach (string example in examples)
        {
            System.CommandLine.ParseResult parsed =
                Application.Root(terminal, new CommonOptions(terminal), default).Parse(example.Split(' '));
            Assert.That(UsageErrors.Of(parsed), Is.Empty, example);
            Assert.That(example, Does.StartWith(command));
        }
    }

    [TestCase("train", "--recipe", "fer2013", "--out", "unused", "--data", ".", "--dataset", "fer-2013")]
    [TestCase("data", "verify", "fer-2013", ".")]
    [TestCase("eval", "--model", "drawn-faces", "--data", ".", "--dataset", "fer-2013")]
    public void ADataSetThatIsMisspelledGetsAHint(params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess([.. args, "--device", "cpu"]);

        Assert.That(run.ExitCode, Is.EqualTo(2), run.Error);
        Assert.That(run.Error, Does.Contain("did you mean 'fer2013'?"));
        Assert.That(Directory.Exists("unused"), Is.False);
    }

    [Test]
    public void TheVersionIsPrinted()
    {
        ProgramRun run = ProgramRun.InProcess("--version");

        Assert.That((run.ExitCode, run.Error), Is.EqualTo((0, "")));
        Assert.That(run.Out, Does.Match(@"^\d+\.\d+\.\d+"));
    }

    [TestCase("CLIPER_PTX_CACHE=off $PROGRAM kernels write", 2,
        "there is no cache to write to: CLIPER_PTX_CACHE is off")]
    [TestCase("$PROGRAM kernels write /proc/none", 1, "/proc/none/kernel.ptx: cannot be written: ")]
    public void KernelsThatCannotBeWrittenAreSaidBeforeTheyAreCompiled(string line, int exitCode, string message)
    {
        ProgramRun run = ProgramRun.Shell(line);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")));
        Assert.That(run.Error, Does.StartWith($"cliper-gpu: {message}"));
    }

    [Test]
    public void AFullDiskIsOneSentence()
    {
        ProgramRun run = ProgramRun.Shell("$PROGRAM --help >/dev/full");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.StartWith("cliper-gpu: No space left on device").And.Not.Contain("   at "));
    }

    private static IEnumerable<string> Commands => ["", "demo", "train", "eval", "predict", "explain", "serve", "embed",
        "export", "export onnx", "compare", "sweep", "report", "pretrain", "recipes", "recipes show", "data",
        "data verify", "data cache",
        "weights", "weights inspect", "weights convert", "weights verify", "weights download", "bench", "doctor",
        "completion"];
}
