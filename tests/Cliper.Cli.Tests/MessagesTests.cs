using System.Text;
using System.Text.Json;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>Messages that nobody can read are lost, and the work, its result and its exit code are not.</summary>
[Platform(Exclude = "Win")]
public sealed class MessagesTests
{
    private const string Predict = "$PROGRAM predict --device cpu --threads 1 --faces none";

    private string _folder = "";

    [OneTimeSetUp]
    public void WritePictures()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-messages-").FullName;
        foreach (string name in new[] { "plain.png", "Zoë 笑.png" })
        {
            var pixels = new byte[3 * 16 * 16];
            new Random(1).NextBytes(pixels);
            File.WriteAllBytes(In(name), SkiaImageCodec.Instance.Encode(new RgbImage(16, 16, pixels), ImageFormat.Png));
        }
    }

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase("2>&-", "plain.png", 0, TestName = "standard error is closed")]
    [TestCase("2>/dev/full", "plain.png", 0, TestName = "standard error is full")]
    [TestCase("2>/dev/full", "none.png", 3, TestName = "standard error is full and the work fails")]
    [TestCase("| head -c 10", "plain.png", 0, TestName = "the pipe of the result ends")]
    public void LostMessagesChangeNoExitCode(string stream, string picture, int exitCode)
    {
        ProgramRun run = ProgramRun.Shell($"{Predict} '{In(picture)}' {stream}; exit ${{PIPESTATUS[0]}}");

        Assert.That(run.ExitCode, Is.EqualTo(exitCode), run.Error);
        Assert.That(run.Out, exitCode == 0 ? Is.Not.Empty : Is.Empty);
    }

    [Test]
    public void AResultThatCannotBePrintedIsAnError()
    {
        ProgramRun run = ProgramRun.Shell($"{Predict} --json '{In("plain.png")}' >&-");

        Assert.That(run.ExitCode, Is.EqualTo(1));
        Assert.That(run.Error, Does.Contain("standard output is closed"));
    }

    [TestCase("de_DE.ISO-8859-1")]
    [TestCase("en_US.US-ASCII")]
    [TestCase("C")]
    public void DocumentsAreUtf8InEveryLocale(string locale)
    {
        string name = In("Zoë 笑.png");
        ProgramRun run = ProgramRun.Shell($"export LC_ALL={locale}; {Predict} --json '{name}' >{In("json")}; "
            + $"{Predict} --csv - '{name}' >{In("csv")}");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(In("json")));
        Assert.That(document.RootElement.GetProperty("results")[0].GetProperty("file").GetString(), Is.EqualTo(name));
        Assert.That(File.ReadAllBytes(In("csv")).AsSpan().IndexOf(Encoding.UTF8.GetBytes(name)), Is.GreaterThan(0));
    }

    [Test]
    public void TwoDocumentsForStandardOutputAreRefused()
    {
        ProgramRun run = ProgramRun.InProcess("predict", "--json", "--csv", "-", In("plain.png"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain("--json and --csv - both write to standard output"));
    }

    [Test]
    public void FewOpenFilesAreOneSentence()
    {
        ProgramRun run = ProgramRun.Shell("ulimit -n 60; $PROGRAM doctor");

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((1, "")));
        Assert.That(run.Error, Does.Contain("only 60 files may be open at once").And.Contain("ulimit -n").And.Not
            .Contain("   at "));
    }

    [TestCase(false, false, "xterm", true)]
    [TestCase(false, false, null, false)]
    [TestCase(false, true, null, true, Description = "Windows names no terminal")]
    [TestCase(false, true, "dumb", false)]
    [TestCase(true, true, null, false)]
    public void ABarMovesOnATerminalAlone(bool redirected, bool isWindows, string? terminal, bool moves) =>
        Assert.That(Terminal.MayMove(redirected, isWindows, variable => variable == "TERM" ? terminal : null),
            Is.EqualTo(moves));

    [Test]
    public void NoBarMovesWhereColorsOrPeopleAreMissing([Values("CI", "NO_COLOR")] string set) => Assert.That(
        Terminal.MayMove(false, false, variable => variable == set ? "1" : variable == "TERM" ? "xterm" : null),
        Is.False);

    [Test]
    [Platform("Linux")]
    public void AWarningIsYellowOnATerminalAlone()
    {
        foreach (string picture in new[] { "train/fear/1", "train/anger/2", "test/anger/3" })
        {
            Directory.CreateDirectory(In(Path.GetDirectoryName("faces/" + picture)!));
            File.WriteAllText(In($"faces/{picture}.ppm"), $"P3 2 2 255 {picture[^1]} 9 9 200 9 9 9 200 9 9 9 200");
        }
        string command = $"$PROGRAM data verify --data {In("faces")}";

        ProgramRun inTerminal = ProgramRun.Shell(
            $"unset CI NO_COLOR; TERM=xterm script -qec \"{command}\" /dev/null");
        ProgramRun inPipe = ProgramRun.Shell($"unset CI NO_COLOR; TERM=xterm {command}");

        Assert.That(inTerminal.Out, Does.Contain("\e[38;5;11mwarning:\e[0m the class fear stands in train alone"));
        Assert.That(inPipe.Error, Does.Contain("warning: the class fear stands in train alone"));
    }

    [Test]
    public void AMessageThatFailsIsLostAndTheNextIsTried()
    {
        using var inner = new Faulty();
        using var writer = new LossyWriter(inner);

        Assert.That(() => writer.WriteLine("lost"), Throws.Nothing);
        inner.Fails = false;
        writer.WriteLine("seen");

        Assert.That(inner.ToString(), Is.EqualTo("seen" + inner.NewLine));
    }

    private string In(string name) => Path.Combine(_folder, name);

    private sealed class Faulty : StringWriter
    {
        public bool Fails { get; set; } = true;

        public override void WriteLine(string? value)
        {
            if (Fails)
                throw new IOException("the terminal is gone");
            base.WriteLine(value);
        }
    }
}
