using System.Buffers.Binary;
using System.Diagnostics;
using System.Text.Json;
using Cliper.Cli.Commands;
using Cliper.Model;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>No input is written, none is waited for without end, and none takes the memory of the machine.</summary>
public sealed class FileSafetyTests
{
    private static readonly string Models = Path.Combine(Checkout.Root, "src", "Cliper.Model", "models");

    private string _folder = "";

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-files-").FullName;
        foreach (string name in new[] { "a.png", "x/same.png", "y/same.jpg" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(In(name))!);
            File.WriteAllBytes(In(name), SkiaImageCodec.Instance.Encode(
                new RgbImage(48, 48, [.. Enumerable.Repeat((byte)(90 + name.Length), 48 * 48 * 3)]), ImageFormat.Png));
        }
        File.Copy(Path.Combine(Models, "faces-clip.safetensors"), In("clip.safetensors"));
        File.WriteAllText(In("film.mp4"), "no film");
        File.WriteAllText(In("texts.txt"), "a face\n");
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [TestCase("predict", "a.png", "--csv", "a.png")]
    [TestCase("predict", "a.png", "--csv", "./x/../a.png")]
    [TestCase("predict", "a.png", "--csv", "symbolic")]
    [TestCase("predict", "a.png", "--csv", "hard")]
    [TestCase("predict", "x", "--csv", "x/same.png")]
    [TestCase("predict", "a.png", "--annotate", "a.png")]
    [TestCase("predict", "x", "--annotate", "x")]
    [TestCase("predict", "a.png", "--csv", "out.csv", "--annotate", "out.csv")]
    [TestCase("predict", "film.mp4", "--plot", "plot.png", "--csv", "plot.png")]
    [TestCase("predict", "film.mp4", "--annotate", "film.mp4")]
    [TestCase("predict", "a.png", "--faces", "faces.csv", "--csv", "faces.csv")]
    [TestCase("embed", "--weights", "clip.safetensors", "--images", "a.png", "--out", "a.png")]
    [TestCase("embed", "--weights", "clip.safetensors", "--texts", "texts.txt", "--out", "texts.txt")]
    [TestCase("embed", "--weights", "clip.safetensors", "--texts", "texts.txt", "--out", "clip.safetensors")]
    [TestCase("weights", "convert", "clip.safetensors", "--out", "clip.safetensors", "--type", "f16")]
    public void AnOutputThatIsAnInputIsRefusedBeforeTheWork(params string[] words)
    {
        File.WriteAllText(In("faces.csv"), "file,x,y,width,height\na.png,1,1,20,20\n");
        File.CreateSymbolicLink(In("symbolic"), In("a.png"));
        if (!OperatingSystem.IsWindows())
            Process.Start("ln", [In("a.png"), In("hard")]).WaitForExit();
        else if (words.Contains("hard"))
            Assert.Ignore("needs ln");
        Dictionary<string, byte[]> before = Content();

        ProgramRun run = ProgramRun.InProcess([.. words.Select(word => word.Contains('.', StringComparison.Ordinal)
            || word.Length == 1 || word is "symbolic" or "hard" ? In(word) : word)]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")), run.Error);
        Assert.That(run.Error, Does.Contain("name another file"));
        Assert.That(Content(), Is.EqualTo(before));
    }

    [Test]
    public void PicturesOfOneNameAreBothAnnotated()
    {
        ProgramRun run = ProgramRun.InProcess("predict", In("x"), In("y"), "--model", "drawn-faces", "--annotate",
            In("drawn"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(Directory.GetFiles(In("drawn")).Select(Path.GetFileName).Order(),
            Is.EqualTo(new[] { "same-2.png", "same.png" }));
    }

    [TestCase("predict", "pipe.png", "--model", "drawn-faces")]
    [TestCase("predict", "pipe.mp4", "--model", "drawn-faces")]
    [TestCase("predict", "a.png", "--faces", "pipe.csv")]
    [TestCase("predict", "a.png", "--face-detector", "pipe.xml")]
    [TestCase("predict", "a.png", "--model", "pipe.safetensors")]
    [TestCase("embed", "--weights", "clip.safetensors", "--texts", "pipe.txt", "--out", "out.safetensors")]
    [TestCase("weights", "inspect", "pipe.safetensors")]
    [TestCase("data", "verify", "--data", "pipe.csv")]
    [TestCase("data", "verify", "--data", "pipe.csv", "--dataset", "fer2013")]
    [TestCase("train", "--config", "pipe.json", "--out", "run.folder")]
    public void AFifoIsNotWaitedFor(params string[] words)
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("needs mkfifo");
        string pipe = In(words.First(word => word.StartsWith("pipe.", StringComparison.Ordinal)));
        Process.Start("mkfifo", pipe).WaitForExit();
        Task<ProgramRun> work = Task.Run(() => ProgramRun.InProcess([.. words.Select(word =>
            word.Contains('.', StringComparison.Ordinal) ? In(word) : word)]));
        if (!work.Wait(TimeSpan.FromSeconds(60)))
        {
            // Frees the thread that waits for a writer.
            using (new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite))
                Assert.Fail("the program waits for a writer");
        }
        Assert.That(work.Result.ExitCode, Is.EqualTo(3), work.Result.Error);
        Assert.That(work.Result.Error, Does.Contain("a FIFO, a socket or a device"));
    }

    [Test]
    public void AVideoThatCannotBeDecodedIsInTheDocumentAndAFailure()
    {
        NeedFfmpeg();
        ProgramRun run = ProgramRun.InProcess("predict", In("film.mp4"), "--model", "drawn-faces", "--json"),
            both = ProgramRun.InProcess("predict", In("film.mp4"), In("a.png"), "--model", "drawn-faces", "--json");
        Assert.That((run.ExitCode, both.ExitCode), Is.EqualTo((3, 0)), run.Error + both.Error);
        foreach (ProgramRun each in new[] { run, both })
        {
            JsonElement skipped = each.Json.GetProperty("skipped").EnumerateArray().Single();
            Assert.That(skipped.GetProperty("file").GetString(), Is.EqualTo(In("film.mp4")));
            Assert.That(skipped.GetProperty("reason").GetString(), Does.Contain("not a video that ffmpeg can read"));
        }
        Assert.That(both.Json.GetProperty("results").GetArrayLength(), Is.EqualTo(1));
    }

    [Test]
    public void FormulasOfNamesAreTextsWhereThatIsAsked()
    {
        File.Copy(In("a.png"), In("=1+1.png"));
        string here = Environment.CurrentDirectory;
        try
        {
            Environment.CurrentDirectory = _folder;
            string[] command = ["predict", "=1+1.png", "--model", "drawn-faces", "--csv", "-"];
            Assert.That(ProgramRun.InProcess(command).Out.Split('\n')[1], Does.StartWith("=1+1.png,"));
            Assert.That(ProgramRun.InProcess([.. command, "--csv-safe"]).Out.Split('\n')[1],
                Does.StartWith("'=1+1.png,"));
        }
        finally
        {
            Environment.CurrentDirectory = here;
        }
    }

    [Test]
    public void ControlCharactersOfNamesDoNotReachTheTerminal()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("Windows has no such names");
        File.Copy(In("a.png"), In("\u001B[31mred\u202E.png"));
        File.WriteAllText(In("\u001B[2Jbad.png"), "no picture");
        ProgramRun run = ProgramRun.InProcess("predict", In("\u001B[31mred\u202E.png"), In("\u001B[2Jbad.png"),
            "--model", "drawn-faces");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out + run.Error, Does.Not.Contain("\u001B").And.Not.Contain("\u202E"));
        Assert.That(run.Out, Does.Contain("\\u001b[31mred\\u202e.png"));
        Assert.That(run.Error, Does.Contain("\\u001b[2Jbad.png"));
    }

    [Test]
    public void DataAreNamedByOptions()
    {
        string data = In("data");
        foreach (string split in new[] { "train", "test" })
            foreach (string label in new[] { "happy", "sad" })
            {
                string file = Path.Combine(data, split, label, "0.png");
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllBytes(file, SkiaImageCodec.Instance.Encode(new RgbImage(9, 9,
                    [.. Enumerable.Range(0, 243).Select(i => (byte)(i * (split.Length + 7 * label.Length)))]),
                    ImageFormat.Png));
            }
        ProgramRun old = ProgramRun.InProcess("data", "verify", "folder", data, "--json"),
            named = ProgramRun.InProcess("data", "verify", "--data", data, "--dataset", "folder", "--json"),
            recognized = ProgramRun.InProcess("data", "verify", "--data", data, "--json"),
            both = ProgramRun.InProcess("data", "verify", "folder", data, "--data", data),
            none = ProgramRun.InProcess("data", "verify");
        Assert.That((old.ExitCode, named.ExitCode, recognized.ExitCode), Is.EqualTo((0, 0, 0)), named.Error);
        Assert.That(named.Out, Is.EqualTo(old.Out));
        Assert.That(recognized.Json.GetProperty("dataset").GetString(), Is.EqualTo("folder"));
        Assert.That((both.ExitCode, none.ExitCode), Is.EqualTo((2, 2)));
        Assert.That(none.Error, Does.Contain("--data"));
    }

    [Test]
    public void FourSmallFilesOfHugePicturesStayBelowTheirMemory()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Ignore("reads /proc");
        byte[] jpeg = SkiaImageCodec.Instance.Encode(new RgbImage(64, 64, new byte[64 * 64 * 3]), ImageFormat.Jpeg);
        int frame = jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 5), 16384);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 7), 16384);
        Directory.CreateDirectory(In("huge"));
        for (int index = 0; index < 4; index++)
            File.WriteAllBytes(In($"huge/{index}.jpg"), [.. jpeg[..^2], .. new byte[index], .. jpeg[^2..]]);

        ProgramRun run = ProgramRun.Shell($"$PROGRAM predict '{In("huge")}' --model drawn-faces --faces none --json "
            + $">'{In("answers")}' & while kill -0 $! 2>/dev/null; do grep VmHWM /proc/$!/status >'{In("now")}' "
            + $"2>/dev/null && cp '{In("now")}' '{In("peak")}'; sleep 0.05; done; wait $!");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        using JsonDocument answers = JsonDocument.Parse(File.ReadAllText(In("answers")));
        Assert.That(answers.RootElement.GetProperty("results").EnumerateArray().Select(result =>
            result.GetProperty("width").GetInt32()), Is.EqualTo(new[] { 16384, 16384, 16384, 16384 }));
        int peak = int.Parse(File.ReadAllText(In("peak")).Split((char[]?)null,
            StringSplitOptions.RemoveEmptyEntries)[1], System.Globalization.CultureInfo.InvariantCulture);
        TestContext.Out.WriteLine($"{peak / 1024} MiB");
        Assert.That(peak / 1024, Is.LessThan(1500), "MiB");
    }

    [Test]
    public void StandardInputWithoutEndIsRefused() =>
        Assert.That(() => StandardInputPicture.Read(new Endless()), Throws.TypeOf<InputException>()
            .With.Message.Contains("came from standard input"));

    /// <summary>A stream as /dev/zero is one.</summary>
    private sealed class Endless : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => count;
    }

    private static void NeedFfmpeg()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder =>
            File.Exists(Path.Combine(folder, "ffprobe"))))
            Assert.Ignore("needs ffmpeg on the PATH");
    }

    private Dictionary<string, byte[]> Content() =>
        Directory.GetFiles(_folder, "*", SearchOption.AllDirectories).ToDictionary(file => file, File.ReadAllBytes);

    private string In(string name) => Path.Combine(_folder, name);
}
