using Cliper.Model.Images;

namespace Cliper.Cli.Tests;

/// <summary>The command explain with a tiny model.</summary>
public sealed class ExplainTests
{
    private string _folder = "";

    private string Run => In("run");

    [OneTimeSetUp]
    public void Train()
    {
        _folder = Directory.CreateTempSubdirectory("cliper-explain-").FullName;
        foreach (string split in new[] { "train", "test" })
            for (int index = 0; index < 12; index++)
                RunTests.Draw(In("data", split, index % 2 == 0 ? "happy" : "sad", $"{index}.png"), index % 2,
                    split.Length * 100 + index);
        ProgramRun run = ProgramRun.InProcess(["train", "--out", Run, "--pretrain-epochs", "1", "--device", "cpu",
            .. RunTests.TinyOn(In("data"))]);
        Assert.That(run.ExitCode, Is.Zero, run.Error);
    }

    [OneTimeTearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void DataIsExplained_InAPageAndInFiles()
    {
        ProgramRun run = Explain("--data", In("data"), "--shuffles", "20"), again = Explain("--data", In("data"),
            "--out", In("again"));
        string folder = Path.Combine(Run, "explain");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain("happiness: samples by nearest descriptor").And.Contain(
            Path.Combine(folder, "report.html")));
        string page = File.ReadAllText(Path.Combine(folder, "report.html"));
        Assert.That(page, Does.Contain("Nearest words").And.Contain("Use of the descriptors")
            .And.Contain("Features in the plane").And.Contain("The paper lists 21 words"));
        string[] gallery = Lines(folder, "gallery.csv"), usage = Lines(folder, "usage.csv"),
            words = Lines(folder, "words.csv");
        Assert.That(gallery[0], Is.EqualTo("file,label,predicted,m,cosine,margin"));
        Assert.That(gallery, Has.Length.EqualTo(13), "every sample, right or wrong");
        Assert.That(usage.Skip(1).Sum(line => int.Parse(line.Split(',')[2])), Is.EqualTo(12));
        Assert.That(words[0], Is.EqualTo(
            "class,m,l,kind,rank,token,id,distance,norm,mean_distance,random_distance,paper"));
        Assert.That(words.Count(line => line.Contains(",all,1,")), Is.EqualTo(2 * 5 * 4), "a line a learned token");
        foreach (string name in new[] { "tsne.csv", "tsne.svg", "tsne.png", "similarities.csv", "gallery.csv" })
            Assert.That(File.ReadAllBytes(Path.Combine(folder, name)),
                Is.EqualTo(File.ReadAllBytes(In("again", name))), name);
        Assert.That(again.Error, Does.Contain("the data that the run was trained on"));
    }

    [Test]
    public void MapsAreDrawnOverPictures()
    {
        string picture = In("data", "test", "happy", "0.png");
        ProgramRun run = Explain(picture, "--map", "rollout,relevance,last-layer,gradient", "--class", "sad", "--out",
            In("maps"));

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        RgbImage drawn = ImageCodec.Instance.Decode(File.ReadAllBytes(In("maps", "0-maps.png")), "maps");
        Assert.That(drawn.Width, Is.GreaterThan(5 * 288), "what was seen, and four maps");
        string[] maps = Lines(In("maps"), "maps.csv");
        Assert.That(maps[0], Is.EqualTo("file,face,time,class,method,row,column,value"));
        // 16 pixels in patches of 8: four patches a map.
        Assert.That(maps.Skip(1).CountBy(line => line.Split(',')[4]).Select(count => (count.Key, count.Value)),
            Is.EqualTo(new[] { ("rollout", 4), ("relevance", 4), ("last-layer", 4) }));
        Assert.That(maps.Skip(1), Has.All.Contain(",sadness,"));
        Assert.That(File.ReadAllText(In("maps", "report.html")), Does.Contain("data:image/png;base64,"));
    }

    [Test]
    public void TheKernelsOfACard_DrawTheSameMaps()
    {
        string picture = In("data", "test", "sad", "1.png"), maps = "rollout,relevance";
        ProgramRun host = Explain(picture, "--map", maps, "--out", In("host")), card = ProgramRun.InProcess("explain",
            "--model", Run, picture, "--faces", "none", "--map", maps, "--device", "emulated", "--out", In("card"));

        Assert.That(host.ExitCode, Is.Zero, host.Error);
        Assert.That(card.ExitCode, Is.Zero, card.Error);
        double[] expected = Values(In("host")), found = Values(In("card"));
        // Activations and gradients of the card have 11 bits; some ten roundings follow one another.
        Assert.That(found, Is.EqualTo(expected).Within(0.02 * expected.Max()));
        Assert.That(expected, Has.Some.GreaterThan(0));

        static double[] Values(string folder) => [.. Lines(folder, "maps.csv").Skip(1).Select(line =>
            double.Parse(line.Split(',')[^1], System.Globalization.CultureInfo.InvariantCulture))];
    }

    [Test]
    public void AClipIsFollowedOverTime()
    {
        ProgramRun run = Explain(In("data", "test", "sad"), "--clips", "--out", In("clip"));

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] rows = Lines(In("clip"), "intensity.csv");
        Assert.That(rows[0], Is.EqualTo("file,time,class,m,cosine"));
        Assert.That(rows, Has.Length.EqualTo(1 + 6 * 2 * 5), "a line a frame and descriptor");
        Assert.That(In("clip", "sad-intensity.svg"), Does.Exist);
        Assert.That(In("clip", "sad-maps.png"), Does.Exist);
    }

    [Test]
    public void SyntheticFaces_TellWhatDescriptorsKnow()
    {
        ProgramRun run = ProgramRun.InProcess("explain", "--model", "drawn-faces", "--dataset", "drawn", "--pictures",
            "42", "--shuffles", "20", "--points", "10", "--out", In("drawn"), "--device", "cpu", "--threads", "1");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain("intensity: the nearest descriptor tells").And.Contain("age: the nearest"));
        string[] lines = Lines(In("drawn"), "information.csv");
        Assert.That(lines[0], Is.EqualTo(
            "trait,class,samples,bits,entropy,shuffled_mean,shuffled_95,percentile"));
        Assert.That(lines.Single(line => line.StartsWith("intensity,all,36,", StringComparison.Ordinal)), Is.Not.Empty,
            "neutral faces have no intensity");
        Assert.That(lines.Single(line => line.StartsWith("age,all,42,", StringComparison.Ordinal)), Is.Not.Empty);
        Assert.That(Lines(In("drawn"), "traits.csv").Skip(1).Where(line => line.StartsWith("age,anger",
            StringComparison.Ordinal)).Sum(line => int.Parse(line.Split(',')[4])), Is.EqualTo(6));
        Assert.That(Lines(In("drawn"), "tsne.csv").Count(line => line.StartsWith("sample", StringComparison.Ordinal)),
            Is.LessThanOrEqualTo(10));
    }

    [TestCase("cocoop"), TestCase("linear-probe")]
    public void AMethodWithoutDescriptors_IsExplainedWithoutWords(string method)
    {
        string run = In(method), picture = In("data", "test", "happy", "0.png");
        ProgramRun trained = ProgramRun.InProcess(["train", "--method", method, "--out", run, "--pretrain-epochs", "1",
            "--device", "cpu", .. RunTests.TinyOn(In("data"))[..^4]]);
        Assert.That(trained.ExitCode, Is.Zero, trained.Error);

        ProgramRun explained = ProgramRun.InProcess("explain", "--model", run, "--data", In("data"), picture, "--faces",
            "none", "--map", "relevance", "--device", "cpu", "--threads", "1", "--json");

        Assert.That(explained.ExitCode, Is.Zero, explained.Error);
        string[] files = [.. explained.Json.GetProperty("files").EnumerateArray().Select(file => file.GetString()!)];
        Assert.That(files, Does.Contain("gallery.csv").And.Contain("0-maps.png").And.Not.Contain("words.csv"));
        Assert.That(File.ReadAllText(Path.Combine(run, "explain", "report.html")),
            Does.Contain("learns no descriptors"));
    }

    [TestCase(2, "there is no map 'rolout'; there are rollout, relevance, last-layer, gradient; did you mean "
        + "'rollout'?", "data/test", "--map", "rolout")]
    [TestCase(2, "the model has no class 'hapy'; it has happiness, sadness", "data/test", "--class", "hapy")]
    [TestCase(2, "--map and --class are for pictures and videos", "--map", "rollout")]
    [TestCase(2, "--pictures is for --dataset drawn", "--pictures", "3")]
    [TestCase(2, "--dataset names a layout, and there is no data", "--dataset", "folder")]
    [TestCase(2, "--points is -1; at least 0 is expected", "--points", "-1")]
    [TestCase(3, "nowhere.png: no such file or folder", "nowhere.png")]
    [TestCase(3, "nodata: no such file or folder", "--data", "nodata")]
    public void AWrongCommandLineIsOneSentence(int exitCode, string message, params string[] args)
    {
        ProgramRun run = Explain([.. args.Select(arg => arg == "data/test" ? In("data", "test") : arg), "--out",
            In("wrong")]);

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message).And.Not.Contain("   at "));
        Assert.That(In("wrong"), Does.Not.Exist);
    }

    [Test]
    public void DrawingsDoNotLandAmongThePictures()
    {
        ProgramRun run = Explain(In("data", "test", "happy"), "--out", In("data", "test", "happy"));

        Assert.That((run.ExitCode, run.Out), Is.EqualTo((2, "")));
        Assert.That(run.Error, Does.Contain("where the drawings are written"));
    }

    private ProgramRun Explain(params string[] args) => ProgramRun.InProcess(["explain", "--model", Run, "--faces",
        "none", "--device", "cpu", "--threads", "1", .. args]);

    private static string[] Lines(string folder, string name) => File.ReadAllLines(Path.Combine(folder, name));

    private string In(params string[] names) => Path.Combine([_folder, .. names]);
}
