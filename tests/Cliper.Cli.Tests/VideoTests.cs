using System.Diagnostics;
using System.Text.Json;
using Cliper.Model.Images;
using Cliper.Model.Video;

namespace Cliper.Cli.Tests;

/// <summary>Prediction of videos with a tiny model that tells bright from dark.</summary>
public sealed class VideoTests
{
    private string _folder = "";

    [OneTimeSetUp]
    public void Train()
    {
        if (!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder =>
            File.Exists(Path.Combine(folder, "ffmpeg"))))
        {
            if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
                Assert.Fail("needs ffmpeg on the PATH");
            Assert.Ignore("needs ffmpeg on the PATH");
        }
        _folder = Directory.CreateTempSubdirectory("cliper-video-").FullName;
        foreach (string split in new[] { "train", "test" })
            foreach ((string name, int level) in new[] { ("happy", 210), ("sad", 40) })
                for (int index = 0; index < 12; index++)
                    Draw(In("data", split, name, $"{index}.png"), level, split.Length * 100 + index);
        ProgramRun run = ProgramRun.InProcess("train", "--recipe", "fer2013", "--data", In("data"), "--dataset",
            "folder", "--batch-size", "8", "--threads", "1",
            "--set", "shape.imageSize=16", "--set", "shape.patchSize=8", "--set", "shape.visionWidth=64", "--set",
            "shape.visionLayers=1",
            "--set", "shape.textWidth=64", "--set", "shape.textLayers=1", "--set", "shape.embedSize=16", "--set",
            "dropDuplicates=false",
            "--pretrain-epochs", "15", "--stage1-epochs", "1", "--stage2-epochs", "2", "--out", In("run"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        // Two seconds dark, two bright; 10 frames a second.
        Ffmpeg("-f", "lavfi", "-i", "color=0x282828:s=64x48:r=10:d=2", "-f", "lavfi", "-i",
            "color=0xd2d2d2:s=64x48:r=10:d=2",
            "-f", "lavfi", "-i", "sine=d=4", "-filter_complex", "[0:v][1:v]concat=n=2:v=1[v]", "-map", "[v]", "-map",
            "2:a", In("clip.mp4"));
    }

    [OneTimeTearDown]
    public void RemoveFolder()
    {
        if (_folder.Length > 0)
            Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public void TheProgramAsItIsStarted_ReadsVideos()
    {
        // A process of its own has feature switches that the tests' process has not.
        ProgramRun run = ProgramRun.AsProcess("predict", "--model", In("run"), In("clip.mp4"), "--device", "cpu");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        Assert.That(run.Out, Does.Contain(In("clip.mp4")));
    }

    [Test]
    public void AVideoIsExplainedOverTime()
    {
        ProgramRun run = ProgramRun.InProcess("explain", "--model", In("run"), In("clip.mp4"), "--faces", "none",
            "--map", "rollout", "--out", In("explained"), "--device", "cpu", "--threads", "1");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        string[] rows = File.ReadAllLines(In("explained/intensity.csv"));
        Assert.That(rows, Has.Length.EqualTo(1 + 40 * 2 * 5), "a line a frame and descriptor");
        // Two seconds dark, two bright: what points to a class before does not after.
        double[] happy = [.. rows.Skip(1).Where(row => row.Contains(",happiness,1,")).Select(row =>
            double.Parse(row.Split(',')[^1], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.That(Math.Abs(happy[..20].Average() - happy[20..].Average()), Is.GreaterThan(0.01));
        Assert.That(In("explained/clip-maps.png"), Does.Exist);
        Assert.That(In("explained/clip-intensity.png"), Does.Exist);
    }

    [Test]
    public void AVideoHasOneLabel()
    {
        ProgramRun run = Predict(In("clip.mp4"), "--json");
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement clip = run.Json.GetProperty("results").EnumerateArray().Single();
        Assert.That(clip.GetProperty("file").GetString(), Is.EqualTo(In("clip.mp4")));
        Assert.That((clip.GetProperty("frames").GetInt32(), clip.GetProperty("rate").GetDouble()),
            Is.EqualTo((40, 10.0)));
        Assert.That(Answer(run).TryGetProperty("windows", out _), Is.False);
        Assert.That(run.Error, Does.Contain("the center is taken"));
    }

    [Test]
    public void WindowsFollowTheTime()
    {
        ProgramRun run = Predict(In("clip.mp4"), "--window", "16", "--stride", "8", "--plot", In("plot.svg"),
            "--annotate", In("out.mp4"), "--json");

        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement[] rows = [.. Answer(run).GetProperty("windows").EnumerateArray()];
        Assert.That(rows.Select(row => Math.Round(row.GetProperty("start").GetDouble(), 3)),
            Is.EqualTo(new[] { 0, 0.8, 1.6, 2.4 }));
        Assert.That(rows.Select(row => Math.Round(row.GetProperty("end").GetDouble(), 3)),
            Is.EqualTo(new[] { 1.6, 2.4, 3.2, 4.0 }));
        Assert.That(rows[0].GetProperty("expression").GetString(), Is.EqualTo("sadness"));
        Assert.That(rows[3].GetProperty("expression").GetString(), Is.EqualTo("happiness"));
        Assert.That(File.ReadAllText(In("plot.svg")),
            Does.StartWith("<svg").And.Contain("happiness").And.EndWith("</svg>\n"));
        var annotated = VideoFile.Open(In("out.mp4"));
        Assert.That((annotated.Width, annotated.Height), Is.EqualTo((64, 48)));
        Assert.That(annotated.FrameCount, Is.EqualTo(40).Within(1));
    }

    [Test]
    public void TimelinesCanBeTablesAndPictures()
    {
        ProgramRun run = Predict(In("clip.mp4"), "--window", "20", "--rate", "5", "--csv", "-", "--plot",
            In("plot.png"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        // 20 frames at 5 a second: one window of all.
        Assert.That(run.Out,
            Does.Match("^file,id,start,end,x,y,width,height,faceShare,expression,probability,descriptor,"
                + "happiness,sadness,model\n[^\n]*clip.mp4,0,0.000,4.000,,,,,1,[^\n]*,run\n$"));
        RgbImage plot = SkiaImageCodec.Instance.Decode(File.ReadAllBytes(In("plot.png")), "plot");
        Assert.That((plot.Width, plot.Height), Is.EqualTo((960, 400)));
    }

    [Test]
    public void ADamagedVideoIsAWarningOrAnError()
    {
        Ffmpeg("-i", In("clip.mp4"), "-an", "-c:v", "mpeg4", "-g", "5", In("whole.mkv"));
        byte[] bytes = File.ReadAllBytes(In("whole.mkv"));
        File.WriteAllBytes(In("cut.mkv"), bytes[..(bytes.Length * 2 / 3)]);
        ProgramRun lenient = Predict(In("cut.mkv"), "--window", "8", "--json");
        ProgramRun strict = Predict(In("cut.mkv"), "--window", "8", "--json", "--strict");
        Assert.That(lenient.ExitCode, Is.Zero, lenient.Error);
        Assert.That(lenient.Error, Does.Contain("warning: " + In("cut.mkv")));
        Assert.That((strict.ExitCode, strict.Out), Is.EqualTo((3, "")), strict.Error);
        Assert.That(strict.Error, Does.Contain("cut.mkv").And.Not.Contain("   at "));
    }

    [Test]
    public void AFaceBoxCutsPicturesAndFrames()
    {
        // The dark box of a bright picture.
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=96x96:r=10:d=1,drawbox=x=60:y=60:w=30:h=30:color=0x282828:t=fill",
            In("face.mp4"));
        Ffmpeg("-i", In("face.mp4"), "-frames:v", "1", In("face.png"));
        foreach (string file in new[] { "face.mp4", "face.png" })
        {
            Assert.That(Answer(Predict(In(file), "--json")).GetProperty("expression").GetString(),
                Is.EqualTo("happiness"), file);
            ProgramRun cut = Predict(In(file), "--json", "--face-box", "60,60,30,30");
            Assert.That(Answer(cut).GetProperty("expression").GetString(), Is.EqualTo("sadness"), file);
            Assert.That(cut.Error, Does.Not.Contain("the center"));
        }
    }

    [Test]
    public void EveryFaceOfATableIsAnsweredAndAPictureWithoutOneIsNamed()
    {
        // Bright, with a dark square.
        var pixels = new byte[96 * 96 * 3];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i / 3 % 96 >= 60 && i / 3 / 96 >= 60 ? 40 : 210);
        foreach (string name in new[] { "two.png", "none.png" })
            File.WriteAllBytes(In(name), SkiaImageCodec.Instance.Encode(new RgbImage(96, 96, pixels), ImageFormat.Png));
        File.WriteAllText(In("faces.csv"), "file,x,y,width,height\ntwo.png,62,62,30,30\ntwo.png,4,4,40,40\n");
        string[] table = ["--faces", In("faces.csv")];

        ProgramRun json = Predict(In("two.png"), [In("none.png"), "--json", "--annotate", In("seen"), .. table]),
            csv = Predict(In("two.png"), ["--csv", "-", .. table]), text = Predict(In("two.png"), table);

        Assert.That(json.ExitCode, Is.Zero, json.Error);
        JsonElement two = json.Json.GetProperty("results").EnumerateArray().Single();
        JsonElement[] faces = [.. two.GetProperty("faces").EnumerateArray()];
        Assert.That((two.GetProperty("width").GetInt32(), two.GetProperty("height").GetInt32()), Is.EqualTo((96, 96)));
        Assert.That(faces.Select(face => face.GetProperty("id").GetInt32()), Is.EqualTo(new[] { 0, 1 }));
        Assert.That(faces.Select(face => face.GetProperty("expression").GetString()),
            Is.EqualTo(new[] { "happiness", "sadness" }));
        Assert.That(faces[1].GetProperty("box").EnumerateArray().Select(value => value.GetInt32()),
            Is.EqualTo(new[] { 62, 62, 30, 30 }));
        JsonElement skipped = json.Json.GetProperty("skipped").EnumerateArray().Single();
        Assert.That(skipped.GetProperty("file").GetString(), Is.EqualTo(In("none.png")));
        Assert.That(skipped.GetProperty("reason").GetString(), Is.EqualTo("no face found"));
        Assert.That(json.Error, Does.Contain("no face was found in 1 of 2 files"));
        Assert.That(csv.Out.Split('\n')[1..3].Select(line => line.Split(',')[1..9]), Is.EqualTo(new string[][]
        {
            ["0", "4", "4", "40", "40", "1", "", "happiness"], ["1", "62", "62", "30", "30", "1", "", "sadness"],
        }));
        Assert.That(text.Out, Does.Contain("face at 62,62,30,30"));
        RgbImage seen = SkiaImageCodec.Instance.Decode(File.ReadAllBytes(Path.Combine(In("seen"), "two.png")), "seen");
        Assert.That(ColoredColumns(seen).Max(), Is.EqualTo(62 + 30 - 1),
            "the right edge of the frame around the second face");
    }

    [Test]
    public void AFaceIsFoundInPicturesAndFollowedThroughFrames()
    {
        // Bright pictures; the dark square that the tests' cascade finds moves to the right, and is not there at first.
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=192x128:r=10:d=1", "-f", "lavfi", "-i",
            "color=0x282828:s=24x24:r=10:d=1",
            "-filter_complex", "overlay=x='20+100*t':y=50:enable='gte(t,0.25)'", In("moving.mp4"));
        Ffmpeg("-sseof", "-0.1", "-i", In("moving.mp4"), "-frames:v", "1", In("moving.png"));
        string[] detector = ["--face-detector", Path.Combine(Checkout.Root, "tests", "cascades", "dark-square.xml"),
            "--json"];
        ProgramRun picture = Predict(In("moving.png"), detector), center = Predict(In("moving.png"), "--json");
        ProgramRun video = Predict(In("moving.mp4"), [.. detector, "--window", "4", "--stride", "4", "--annotate",
            In("followed.mp4")]);

        Assert.That(picture.ExitCode, Is.Zero, picture.Error);
        Assert.That(picture.Error, Does.Contain("faces are looked for with").And.Not.Contain("no face"));
        int[] face = [.. Answer(picture).GetProperty("box").EnumerateArray().Select(value => value.GetInt32())];
        Assert.That(face[0] + face[2] / 2, Is.EqualTo(110 + 12).Within(6), "the square is at 110 in the last frame");
        Assert.That(face[1] + face[3] / 2, Is.EqualTo(50 + 12).Within(6));
        Assert.That(Answer(center).GetProperty("box").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(Answer(picture).GetProperty("probabilities").ToString(),
            Is.Not.EqualTo(Answer(center).GetProperty("probabilities").ToString()));

        Assert.That(video.ExitCode, Is.Zero, video.Error);
        Assert.That(video.Error, Does.Contain("moving.mp4: no face was found in 3 of 10 frames"));
        // The box is drawn around the square in the frames of 0.4 and 0.9 s, the first after these times.
        RgbImage first = Frame(In("followed.mp4"), 0.35), last = Frame(In("followed.mp4"), 0.85);
        Assert.That(ColoredColumns(first).Average(), Is.EqualTo(20 + 40 + 12).Within(8));
        Assert.That(ColoredColumns(last).Average(), Is.EqualTo(20 + 90 + 12).Within(8));
        JsonElement[] rows = [.. Answer(video).GetProperty("windows").EnumerateArray()];
        Assert.That(Answer(video).GetProperty("faceShare").GetDouble(), Is.EqualTo(0.7).Within(1e-9));
        // Four frames, of which the last has the face, and four with it; the two that are left are no window.
        Assert.That(rows.Select(row => row.GetProperty("faceShare").GetDouble()), Is.EqualTo(new[] { 0.25, 1 }));
        Assert.That(rows[1].GetProperty("box")[0].GetInt32() + rows[1].GetProperty("box")[2].GetInt32() / 2,
            Is.EqualTo(20 + 55 + 12).Within(8), "the mean of the frames of 0.4 to 0.7 s");

        ProgramRun faceless = Predict(In("clip.mp4"), [.. detector, "--window", "16"]);
        Assert.That(faceless.ExitCode, Is.Zero, faceless.Error);
        Assert.That(faceless.Error, Does.Contain("no face was found in 40 of 40 frames"));
        Assert.That(Answer(faceless).GetProperty("faceShare").GetDouble(), Is.Zero);
        foreach (JsonElement answer in Answer(faceless).GetProperty("windows").EnumerateArray()
            .Append(Answer(faceless)))
        {
            Assert.That(answer.GetProperty("expression").ValueKind, Is.EqualTo(JsonValueKind.Null));
            Assert.That(answer.TryGetProperty("probabilities", out _), Is.False);
        }
    }

    [Test]
    public void EveryFaceOfAVideoIsAnsweredAndKeepsItsIdentity()
    {
        // A dark square that moves right all the time, and another one on the right from 0.5 s on.
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=256x128:r=10:d=1", "-f", "lavfi", "-i",
            "color=0x282828:s=24x24:r=10:d=1", "-f", "lavfi", "-i", "color=0x282828:s=24x24:r=10:d=1",
            "-filter_complex", "[0][1]overlay=x='20+50*t':y=50[a];[a][2]overlay=x=190:y=50:enable='gte(t,0.45)'",
            In("two.mp4"));
        string[] detector = ["--face-detector", Path.Combine(Checkout.Root, "tests", "cascades", "dark-square.xml"),
            "--window", "5", "--stride", "5"];

        ProgramRun json = Predict(In("two.mp4"), [.. detector, "--json", "--annotate", In("both.mp4")]),
            csv = Predict(In("two.mp4"), [.. detector, "--csv", "-"]),
            largest = Predict(In("two.mp4"), [.. detector, "--json", "--faces", "largest"]);

        Assert.That(json.ExitCode, Is.Zero, json.Error);
        JsonElement[] faces = [.. json.Json.GetProperty("results")[0].GetProperty("faces").EnumerateArray()];
        Assert.That(faces.Select(face => face.GetProperty("faceShare").GetDouble()), Is.EqualTo(new[] { 1, 0.5 }));
        Assert.That(faces.SelectMany(face => face.GetProperty("windows").EnumerateArray()).Select(row =>
            row.GetProperty("expression").ValueKind == JsonValueKind.Null),
            Is.EqualTo(new[] { false, false, true, false }));
        Assert.That(csv.Out.TrimEnd().Split('\n')[1..].Select(row => row.Split(',')).Select(row =>
            (row[1], row[2], row[8], row[9].Length > 0)), Is.EqualTo(new[]
            {
                ("0", "0.000", "1", true), ("0", "0.500", "1", true), ("1", "0.000", "0", false),
                ("1", "0.500", "1", true),
            }));
        Assert.That(largest.Json.GetProperty("results")[0].GetProperty("faces").GetArrayLength(), Is.EqualTo(1));
        RgbImage first = Frame(In("both.mp4"), 0.25), last = Frame(In("both.mp4"), 0.85);
        Assert.That(ColoredColumns(first), Has.All.LessThan(140));
        int[] box = [.. faces[1].GetProperty("windows")[1].GetProperty("box").EnumerateArray().Select(value =>
            value.GetInt32())];
        Assert.That(box[0] + box[2] / 2, Is.EqualTo(190 + 12).Within(6));
        Assert.That(ColoredColumns(last).Max(), Is.EqualTo(box[0] + box[2]).Within(4), "the second face's frame");
    }

    [Test]
    public void AnswersCarryTheShareOfFramesWithTheFace()
    {
        // The dark square is there in the second half, and never in the other video.
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=192x128:r=10:d=1.6", "-f", "lavfi", "-i",
            "color=0x282828:s=24x24:r=10:d=1.6", "-filter_complex", "overlay=x=60:y=50:enable='gte(t,0.75)'",
            In("half.mp4"));
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=192x128:r=10:d=1.6", "-f", "lavfi", "-i",
            "color=0x282828:s=24x24:r=10:d=1.6", "-filter_complex", "overlay=x=60:y=50", In("always.mp4"));
        Ffmpeg("-f", "lavfi", "-i", "color=0xd2d2d2:s=192x128:r=10:d=1.6", In("never.mp4"));
        string[] detector = ["--face-detector", Path.Combine(Checkout.Root, "tests", "cascades", "dark-square.xml")];

        ProgramRun json = Predict(In("half.mp4"), [In("never.mp4"), "--json", .. detector]),
            always = Predict(In("always.mp4"), ["--json", .. detector]),
            csv = Predict(In("half.mp4"), [In("never.mp4"), "--csv", "-", .. detector]),
            text = Predict(In("never.mp4"), detector);

        Assert.That(json.ExitCode, Is.Zero, json.Error);
        JsonElement[] faces = [.. json.Json.GetProperty("results").EnumerateArray().Select(file =>
            file.GetProperty("faces").EnumerateArray().Single())];
        Assert.That(faces.Select(face => face.GetProperty("faceShare").GetDouble()), Is.EqualTo(new[] { 0.5, 0 }));
        Assert.That(Sadness(faces[0]), Is.EqualTo(Sadness(Answer(always))).Within(0.02),
            "the frames without the face do not count");
        Assert.That(faces[1].GetProperty("expression").ValueKind, Is.EqualTo(JsonValueKind.Null));
        Assert.That(faces[1].TryGetProperty("probabilities", out _), Is.False);
        string[][] rows = [.. csv.Out.TrimEnd().Split('\n').Select(line => line.Split(','))];
        int share = Array.IndexOf(rows[0], "faceShare"), expression = Array.IndexOf(rows[0], "expression");
        Assert.That(rows[1..].Select(row => (row[share], row[expression])),
            Is.EqualTo(new[] { ("0.5", faces[0].GetProperty("expression").GetString()), ("0", "") }));
        Assert.That(text.Out, Does.StartWith("no face"));
    }

    [Test]
    public void FramesOfAFolderWithoutAFaceDoNotCount()
    {
        foreach (string clip in new[] { "always", "half", "never" })
            for (int frame = 0; frame < 4; frame++)
            {
                var pixels = new byte[192 * 128 * 3];
                for (int i = 0; i < pixels.Length; i++)
                {
                    int x = i / 3 % 192, y = i / 3 / 192;
                    bool isThere = clip == "always" || clip == "half" && frame >= 2;
                    bool isFace = isThere && x is >= 60 and < 84 && y is >= 50 and < 74;
                    pixels[i] = (byte)(isFace ? 40 : 210);
                }
                Directory.CreateDirectory(In("frames", clip));
                File.WriteAllBytes(In("frames", clip, $"{frame}.png"),
                    SkiaImageCodec.Instance.Encode(new RgbImage(192, 128, pixels), ImageFormat.Png));
            }
        ProgramRun run = Predict(In("frames"), "--clips", "--json", "--face-detector",
            Path.Combine(Checkout.Root, "tests", "cascades", "dark-square.xml"));
        Assert.That(run.ExitCode, Is.Zero, run.Error);
        JsonElement[] faces = [.. run.Json.GetProperty("results").EnumerateArray().Select(file =>
            file.GetProperty("faces").EnumerateArray().Single())];
        Assert.That(faces.Select(face => face.GetProperty("faceShare").GetDouble()),
            Is.EqualTo(new[] { 1, 0.5, 0 }));
        Assert.That(Sadness(faces[1]), Is.EqualTo(Sadness(faces[0])).Within(1e-4));
        Assert.That(faces[2].GetProperty("expression").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    private static double Sadness(JsonElement face) =>
        face.GetProperty("probabilities").GetProperty("sadness").GetDouble();

    [TestCase(2, "exclude each other", "clip.mp4", "--face-box", "1,2,3,4", "--face-detector", "some.xml")]
    [TestCase(2, "exclude each other", "clip.mp4", "--faces", "all", "--face-detector", "none")]
    [TestCase(2, "--faces is 'some'; expected all, largest, none or a .csv file", "clip.mp4", "--faces", "some")]
    [TestCase(3, "nowhere.csv", "clip.mp4", "--faces", "nowhere.csv")]
    [TestCase(3, "nowhere.xml", "clip.mp4", "--face-detector", "nowhere.xml")]
    [TestCase(1, "cannot be written: it is a folder", "clip.mp4", "--csv", "/usr")]
    [TestCase(1, "cannot be written", "clip.mp4", "--annotate", "/etc/passwd/out.mp4")]
    [TestCase(1, "cannot be written", "clip.mp4", "--plot", "/etc/passwd/out.png")]
    [TestCase(2, "--face-box is '1,2,3'", "clip.mp4", "--face-box", "1,2,3")]
    [TestCase(2, "are for videos alone", "data", "--window", "8")]
    [TestCase(2, "--stride and --rate are for --window", "clip.mp4", "--stride", "8")]
    [TestCase(2, "--plot plot.jpg", "clip.mp4", "--plot", "plot.jpg")]
    [TestCase(3, "outside of the 64 x 48 pixels", "clip.mp4", "--face-box", "500,0,9,9", "--strict")]
    [TestCase(3, "no such file", "nowhere.mp4")]
    public void BadInputIsOneSentence(int exitCode, string message, string path, params string[] args)
    {
        ProgramRun run = Predict(In(path), args);
        Assert.That((run.ExitCode, run.Out), Is.EqualTo((exitCode, "")), run.Error);
        Assert.That(run.Error, Does.Contain(message).And.Not.Contain("   at "));
    }

    /// <summary>The first face of the first file.</summary>
    private static JsonElement Answer(ProgramRun run) => run.Json.GetProperty("results")[0].GetProperty("faces")[0];

    // Without a detector, unless a test names one.
    private ProgramRun Predict(string path, params string[] args) =>
        ProgramRun.InProcess(["predict", "--checkpoint", In("run"), path,
        .. args.Any(word => word is "--face-detector" or "--faces") ? Array.Empty<string>()
        : ["--face-detector", "none"], .. args]);

    private string In(params string[] names) => Path.Combine([_folder, .. names]);

    private static void Ffmpeg(params string[] args)
    {
        using Process process =
            Process.Start(new ProcessStartInfo("ffmpeg", ["-v", "error", "-y", .. args])
            {
                RedirectStandardInput =
            true
            })!;
        process.StandardInput.Close();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero);
    }

    private RgbImage Frame(string video, double second)
    {
        string picture = In("frame.png");
        Ffmpeg("-ss", second.ToString(System.Globalization.CultureInfo.InvariantCulture), "-i", video, "-frames:v",
            "1", picture);
        return SkiaImageCodec.Instance.Decode(File.ReadAllBytes(picture), picture);
    }

    /// <summary>Columns with a pixel of another color than gray, below the label.</summary>
    private static IEnumerable<int> ColoredColumns(RgbImage image) => Enumerable.Range(0, image.Width).Where(x =>
        Enumerable.Range(image.Height / 4, image.Height * 3 / 4).Any(y =>
            Math.Abs(image.Pixels[3 * (y * image.Width + x)] - image.Pixels[3 * (y * image.Width + x) + 2]) > 60));

    /// <summary>A gray picture with some noise.</summary>
    private static void Draw(string path, int level, int seed)
    {
        const int Side = 24;
        var random = new Random(seed);
        var pixels = new byte[Side * Side * 3];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(level + random.Next(-20, 20));
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(new RgbImage(Side, Side, pixels), ImageFormat.Png));
    }
}
