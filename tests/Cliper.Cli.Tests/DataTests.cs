using System.Text.Json;
using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

public sealed class DataTests
{
    private string _folder = "";

    [SetUp]
    public void Draw()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-data-").FullName;
        foreach ((string split, int count) in new[] { ("train", 3), ("test", 2) })
            foreach (string name in new[] { "happy", "sad" })
                for (int index = 0; index < count; index++)
                    Write($"{split}/{name}/{index}.png", (split + name).Length * 10 + index);
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void AWholeDataSetIsSaidToBe()
    {
        ProgramRun run = ProgramRun.InProcess("data", "verify", "folder", _folder);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain("nothing is off").And.Contain("happiness"));
    }

    [Test]
    public void WhatIsOffEndsWithItsRemedy()
    {
        File.Copy(Path.Combine(_folder, "train/happy/0.png"), Path.Combine(_folder, "test/happy/leak.png"));
        ProgramRun text = ProgramRun.InProcess("data", "verify", "folder", _folder);
        ProgramRun run = ProgramRun.InProcess("data", "verify", "folder", _folder, "--json");
        Assert.That((text.ExitCode, run.ExitCode), Is.EqualTo((3, 3)));
        Assert.That(text.Error, Does.Contain("training leaves out"));
        Assert.That(text.Out, Does.Contain("exact: happy/0.png = happy/leak.png"));
        JsonElement pair = run.Json.GetProperty("across").EnumerateArray().Single();
        Assert.That(pair.GetProperty("test").GetString(), Is.EqualTo("happy/leak.png"));
        Assert.That(run.Json.GetProperty("ok").GetBoolean(), Is.False);
        Assert.That(run.Json.GetProperty("problems").GetArrayLength(), Is.EqualTo(1));
    }

    [Test]
    public void TheCacheIsMadeAndKept()
    {
        string cache = Path.Combine(_folder, "cache"), data = Path.Combine(_folder);
        string[] command = ["data", "cache", "folder", data, "--out", cache, "--image-size", "16", "--json"];
        ProgramRun first = ProgramRun.InProcess(command);
        Assert.That(first.ExitCode, Is.Zero, first.Error);
        Assert.That(first.Json.GetProperty("splits")[0].GetProperty("pictures").GetInt32(), Is.EqualTo(6));
        FileInfo file = new(Directory.GetFiles(cache).Order().Last());
        DateTime written = file.LastWriteTimeUtc;
        ProgramRun second = ProgramRun.InProcess(command);
        Assert.That(second.ExitCode, Is.Zero, second.Error);
        Assert.That(new FileInfo(file.FullName).LastWriteTimeUtc, Is.EqualTo(written), "an up to date file is kept");
    }

    [TestCase(2, "there is no data set format 'rafbd'; known are", "data", "verify", "rafbd", "DIR")]
    [TestCase(2, "unknown setting 'choices.minFrame'; did you mean 'choices.minFrames'?", "data", "verify", "folder",
        "DIR", "--choice", "minFrame=3")]
    [TestCase(2, "unknown command 'verfy'; did you mean 'verify'?", "data", "verfy")]
    [TestCase(2, "'cliper-gpu data verify --help'", "data", "verify", "--quik")]
    [TestCase(3, "no RAF-DB here", "data", "verify", "rafdb", "DIR")]
    public void BadInputIsOneSentence(int exitCode, string message, params string[] args)
    {
        ProgramRun run = ProgramRun.InProcess([.. args.Select(word => word == "DIR" ? _folder : word)]);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message).And.Not.Contain("   at "));
    }

    /// <summary>A picture of noise.</summary>
    private void Write(string name, int seed)
    {
        const int Side = 24;
        var pixels = new byte[Side * Side * 3];
        new Random(seed).NextBytes(pixels);
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(new RgbImage(Side, Side, pixels), ImageFormat.Png));
    }
}
