using System.Diagnostics;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model.Tests.Data;

/// <summary>Videos whose frames tell their own number by their brightness.</summary>
public sealed class VideoTests : TemporaryFolder
{
    private const int Side = 48;

    // Brightness passes through YUV of 8 bits and back: two levels of rounding and one of the conversion.
    private const int Rounding = 3;

    [SetUp]
    public void NeedFfmpeg()
    {
        foreach (string program in new[] { "ffmpeg", "ffprobe" })
        {
            if ((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder =>
                File.Exists(Path.Combine(folder, program))))
                continue;
            if (Environment.GetEnvironmentVariable("CI") is { Length: > 0 })
                Assert.Fail($"needs {program} on the PATH");
            Assert.Ignore($"needs {program} on the PATH");
        }
    }

    [Test]
    public void AllFramesComeInOrder([Values("a.mp4", "a.avi", "a.mkv")] string name)
    {
        VideoFile video = Make(name, 40);
        Assert.That((video.Width, video.Height, video.Rate, video.FrameCount), Is.EqualTo((Side, Side, 10.0, 40)));
        string? damage = null;
        Assert.That(video.Frames(text => damage = text).Select(Number), Is.EqualTo(Enumerable.Range(0, 40)));
        Assert.That(damage, Is.Null);
    }

    [Test]
    public void ChosenFramesOfAShortVideoComeFromOnePass()
    {
        VideoFile video = Make("a.mp4", 40);
        Assert.That(video.Take([0, 7, 7, 20, 39], null).Select(Number), Is.EqualTo(new[] { 0, 7, 7, 20, 39 }));
    }

    [Test]
    public void FramesOfALongVideoAreSought()
    {
        // 25 s, a key frame only every 12 s: a sought frame is not one that can be begun at.
        VideoFile video = Make("a.mp4", 50, rate: 2, extra: "-g 24");
        Assert.That(video.Seconds, Is.EqualTo(25).Within(0.6));
        Assert.That(video.Take([0, 1, 13, 30, 49], null).Select(Number), Is.EqualTo(new[] { 0, 1, 13, 30, 49 }));
        Assert.That(new VideoFrames(video)[31].Load(SkiaImageCodec.Instance).Pixels[0],
            Is.EqualTo(Brightness(31)).Within(Rounding));
    }

    [Test]
    public void RotatedVideosAreUpright()
    {
        // The left half is bright; turned by 90 degrees clockwise for display, the upper half is.
        Ffmpeg("-f lavfi -i color=black:s=64x48:r=10:d=1,drawbox=x=0:y=0:w=32:h=48:color=white:t=fill",
            In("plain.mp4"));
        Ffmpeg($"-i {In("plain.mp4")} -c copy -metadata:s:v:0 rotate=270", In("turned.mp4"));

        VideoFile video = VideoFile.Open(In("turned.mp4"));
        RgbImage frame = video.Frames(null).First();

        Assert.That((frame.Width, frame.Height), Is.EqualTo((48, 64)));
        int top = frame.Pixels[3 * (8 * 48 + 24)], bottom = frame.Pixels[3 * (56 * 48 + 24)];
        Assert.That(Math.Abs(top - bottom), Is.GreaterThan(200), "light and dark lie above each other");
    }

    [Test]
    public void OddSizesAreKept()
    {
        Ffmpeg("-f lavfi -i testsrc=s=64x64:r=10:d=1 -vf scale=47:31,setsar=1 -c:v ffv1 -pix_fmt yuv444p",
            In("odd.mkv"));
        RgbImage frame = VideoFile.Open(In("odd.mkv")).Frames(null).First();
        Assert.That((frame.Width, frame.Height), Is.EqualTo((47, 31)));
    }

    [TestCase(2, 1, "", 128, 48)]
    [TestCase(8, 9, "", 57, 48)]
    [TestCase(4, 3, "-metadata:s:v:0 rotate=90", 48, 85)]
    [TestCase(1, 1, "-metadata:s:v:0 rotate=180", 64, 48)]
    public void FramesAreOfTheShownSize(int across, int down, string turn, int width, int height)
    {
        // 64 x 48 stored pixels of the shape across : down, of which a quarter is white at the left.
        Ffmpeg("-f lavfi -i color=black:s=64x48:r=10:d=1,drawbox=x=0:y=0:w=16:h=48:color=white:t=fill "
            + $"-vf setsar={across}/{down}", In("stored.mp4"));
        Ffmpeg($"-i {In("stored.mp4")} -c copy {turn}", In("shown.mp4"));

        VideoFile video = VideoFile.Open(In("shown.mp4"));
        RgbImage frame = video.FrameAt(0);

        Assert.That((video.Width, video.Height), Is.EqualTo((width, height)));
        Assert.That((frame.Width, frame.Height), Is.EqualTo((width, height)));
        int white = Enumerable.Range(0, width * height).Count(i => frame.Pixels[3 * i] > 128);
        Assert.That(white / (double)(width * height), Is.EqualTo(0.25).Within(0.02), "a quarter of what is shown");
    }

    [Test]
    public void ACopyHasTheShownSizeAndSquarePixels()
    {
        Ffmpeg("-f lavfi -i testsrc2=s=64x48:r=10:d=1 -vf setsar=2/1", In("wide.mp4"));
        VideoFile wide = VideoFile.Open(In("wide.mp4"));
        VideoWriter.Write(In("copy.mp4"), wide, wide.Frames(null));
        VideoFile copy = VideoFile.Open(In("copy.mp4"));
        Assert.That((copy.Width, copy.Height), Is.EqualTo((128, 48)));
    }

    [TestCase("30", 2, false, "1/30", 30, 0.01)]
    [TestCase("60", 2, false, "1/60", 60, 0.01)]
    [TestCase("30", 2, true, "(N*33.3+random(0)*14)/1000", 30, 0.8)]
    [TestCase("10", 4, true, "if(lt(N\\,20)\\,N/10\\,2+(N-20)/5)", 39 / 5.8, 0.01)]
    public void ARateThatTheFileDoesNotStateIsMeasured(string made, int seconds, bool isUnsteady, string time,
        double rate, double bound)
    {
        string times = isUnsteady ? $"-vf settb=1/1000,setpts='floor(1000*{time})' -fps_mode passthrough "
            + "-enc_time_base 1:1000" : "";
        Ffmpeg($"-f lavfi -i testsrc2=s=64x48:r={made}:d={seconds} {times} -c:v libvpx -deadline realtime -live 1",
            In("stated.webm"));
        byte[] bytes = File.ReadAllBytes(In("stated.webm"));
        // DefaultDuration becomes a void element of the same length.
        int at = bytes.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x23, 0xE3, 0x83]);
        if (at > 0)
        {
            int rest = 2 + (bytes[at + 3] & 0x7F);
            (bytes[at], bytes[at + 1]) = (0xEC, (byte)(0x80 | rest));
            bytes.AsSpan(at + 2, rest).Clear();
        }
        File.WriteAllBytes(In("unstated.webm"), bytes);

        VideoFile video = VideoFile.Open(In("unstated.webm"));

        Assert.That(video.Rate, Is.EqualTo(rate).Within(bound));
        Assert.That(video.Frames(null).Count(), Is.EqualTo(video.FrameCount).Within(1));
    }

    [Test]
    public void FramesAreSoughtFromTheFirstFrameOn()
    {
        // The sound begins 3 s before the first frame.
        Make("late.mp4", 50, rate: 2, extra: "-g 24");
        Ffmpeg($"-f lavfi -i sine=d=30 -itsoffset 3 -i {In("late.mp4")} -map 0 -map 1 -c:v copy", In("offset.mkv"));
        VideoFile video = VideoFile.Open(In("offset.mkv"));
        Assert.That(Number(video.FrameAt(31)), Is.EqualTo(31));
        Assert.That(Number(video.Frames(null).ElementAt(31)), Is.EqualTo(31));
    }

    [TestCase("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{0}\n", "HLS")]
    [TestCase("ffconcat version 1.0\nfile '{0}'\n", "ffconcat")]
    [TestCase("<?xml version=\"1.0\"?>\n<!-- made by hand -->\n<MPD><BaseURL>{0}</BaseURL></MPD>", "DASH")]
    public void APlaylistIsNotFollowed(string content, string kind)
    {
        Make("a.mp4", 3);
        File.WriteAllText(In("list.mp4"), content.Replace("{0}", In("a.mp4"), StringComparison.Ordinal));
        AssertInput(() => VideoFile.Open(In("list.mp4")), "list.mp4", kind, "names other files and is not followed");
    }

    [Test]
    public void WhatIsNoRegularFileIsRefusedBeforeItIsOpened()
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("needs mkfifo");
        Process.Start("mkfifo", In("pipe.mp4")).WaitForExit();
        AssertInput(() => VideoFile.Open(In("pipe.mp4")), "pipe.mp4", "a FIFO, a socket or a device");
        File.CreateSymbolicLink(In("zero.mp4"), "/dev/zero");
        AssertInput(() => VideoFile.Open(In("zero.mp4")), "zero.mp4", "a FIFO, a socket or a device");
    }

    [Test]
    public void FramesThatAreTooLargeAreRefusedUndecoded()
    {
        Ffmpeg("-f lavfi -i color=black:s=10000x8000:r=1:d=1 -c:v mjpeg -pix_fmt yuvj420p", In("big.avi"));
        AssertInput(() => VideoFile.Open(In("big.avi")), "big.avi", "10000 x 8000", "expected at most");
    }

    [Test]
    public void APlayerThatHangsIsEndedAtOnceByCancellation()
    {
        VideoFile video = Make("a.mp4", 20);
        using var source = new CancellationTokenSource();
        using IEnumerator<RgbImage> frames = Sleeping(() => video.Frames(null, source.Token)).GetEnumerator();
        source.CancelAfter(200);
        var time = Stopwatch.StartNew();
        Assert.That(() => Sleeping(() => frames.MoveNext()), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(time.Elapsed, Is.LessThan(TimeSpan.FromSeconds(5)), "the program would sleep for 60 s");
    }

    [Test]
    public void WhatAKilledWriterLeftIsRemovedByTheNext()
    {
        VideoFile video = Make("a.mp4", 5);
        using Process gone = Process.Start("true");
        gone.WaitForExit();
        string stale = In($".b.{VideoWriter.Host}.{gone.Id}.{Guid.NewGuid():N}.tmp.mp4"),
            live = In($".c.{VideoWriter.Host}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp.mp4"),
            foreign = In($".c.not-{VideoWriter.Host}.{gone.Id}.{Guid.NewGuid():N}.tmp.mp4"), own = In(".d.5.tmp.mp4");
        foreach (string file in new[] { stale, live, foreign, own })
            File.WriteAllText(file, "half a video");
        VideoWriter.Write(In("b.mp4"), video, video.Frames(null));
        Assert.That(stale, Does.Not.Exist);
        Assert.That(live, Does.Exist);
        Assert.That(foreign, Does.Exist, "the process may run on its host");
        Assert.That(own, Does.Exist);
    }

    [Test]
    public void AnUnsteadyRateIsTakenByTime()
    {
        // Ten frames at 10 a second, then ten that last 0.4 s each.
        Make("steady.mkv", 20);
        Ffmpeg($"-i {In("steady.mkv")} -vf setpts='if(lt(N,10),N*0.1,1+(N-10)*0.4)/TB' -vsync vfr -c:v ffv1",
            In("unsteady.mkv"));

        VideoFile video = VideoFile.Open(In("unsteady.mkv"), rate: 10);
        int[] numbers = [.. video.Frames(null).Select(Number)];

        // The last frame's own length is not in the file, so the end may lack it.
        Assert.That(numbers, Has.Length.InRange(46, 51));
        Assert.That(numbers[..10], Is.EqualTo(Enumerable.Range(0, 10)));
        for (int i = 10; i < numbers.Length; i++)
            Assert.That(numbers[i], Is.EqualTo(10 + (i * 0.1 - 1) / 0.4).Within(0.76), $"at {i * 0.1:F1} s");
    }

    [Test]
    public void DamageIsToldAndTheRestDecoded()
    {
        VideoFile whole = Make("a.mkv", 60, extra: "-g 6");
        byte[] bytes = File.ReadAllBytes(whole.Path);
        File.WriteAllBytes(In("cut.mkv"), bytes[..(bytes.Length / 2)]);
        byte[] noisy = [.. bytes];
        new Random(1).NextBytes(noisy.AsSpan(bytes.Length / 2, bytes.Length / 6));
        File.WriteAllBytes(In("noisy.mkv"), noisy);

        foreach (string name in new[] { "cut.mkv", "noisy.mkv" })
        {
            string? damage = null;
            int[] numbers = [.. VideoFile.Open(In(name)).Frames(text => damage = text).Select(Number)];
            Assert.That(numbers[..20], Is.EqualTo(Enumerable.Range(0, 20)), name);
            Assert.That(damage, Does.StartWith(In(name)).And.Not.Contain("\n"), name);
        }
        VideoFile noise = VideoFile.Open(In("noisy.mkv"));
        Assert.That(Enumerable.Range(28, 8).Select(index => Told(noise, index)),
            Has.Some.Contains("the video is damaged, 1 frames were decoded"), "sought frames tell it too");
        Assert.That(Told(whole, 30), Is.Null);
        VideoFile cut = VideoFile.Open(In("cut.mkv"));
        Assert.That(cut.Take([0, 10, 59], null).Select(Number).Take(2), Is.EqualTo(new[] { 0, 10 }),
            "what is there is given");

        static string? Told(VideoFile video, int index)
        {
            string? damage = null;
            try
            {
                video.FrameAt(index, text => damage = text);
            }
            catch (InputException failure)
            {
                damage = failure.Message;
            }
            return damage;
        }
    }

    [Test]
    public void ASoughtFrameOfAnOpenGroupOfPicturesIsNotDamaged()
    {
        // The pictures before a key frame in time refer to those of the group before it, which seeking leaves out.
        Ffmpeg("-f lavfi -i testsrc2=s=128x96:r=25:d=20 -c:v libx264 -x264-params open-gop=1:keyint=60:bframes=3",
            In("open.ts"));
        VideoFile video = VideoFile.Open(In("open.ts"));
        string? damage = null;
        foreach (int index in new[] { 12, 183, 232, 347 })
            video.FrameAt(index, text => damage = text);
        Assert.That(damage, Is.Null);
    }

    [Test]
    public void WhatIsNoVideoIsNamed()
    {
        File.WriteAllText(In("text.mp4"), "no video");
        Ffmpeg("-f lavfi -i sine=d=1", In("sound.m4a"));
        AssertInput(() => VideoFile.Open(In("text.mp4")), "text.mp4", "not a video");
        AssertInput(() => VideoFile.Open(In("none.mp4")), "no such file");
        AssertInput(() => VideoFile.Open(In("sound.m4a")), "no pictures");
        Assert.That(() => VideoFile.Open(In("text.mp4"), rate: -1), Throws.TypeOf<SettingsException>());
    }

    [Test]
    public void WithoutFfmpegItIsAskedFor()
    {
        string file = Make("a.mp4", 3).Path;
        string? path = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", Folder);
        try
        {
            AssertInput(() => VideoFile.Open(file), "ffmpeg was not found", "apt-get install ffmpeg");
            // A program of the current folder is not taken, even where the PATH names that folder.
            foreach (string program in new[] { "ffmpeg", "ffprobe" })
                File.Copy(path!.Split(Path.PathSeparator).Select(folder => Path.Combine(folder, program))
                    .First(File.Exists), In(program));
            Environment.SetEnvironmentVariable("PATH", Path.GetRelativePath(Environment.CurrentDirectory, Folder));
            AssertInput(() => VideoFile.Open(file), "ffmpeg was not found");
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    [Test]
    public void MemoryStaysFlat()
    {
        Ffmpeg("-f lavfi -i testsrc=s=320x240:r=25:d=60 -preset ultrafast", In("long.mp4"));
        long early = 0, late = 0;
        int count = 0;
        foreach (RgbImage _ in VideoFile.Open(In("long.mp4")).Frames(null))
        {
            count++;
            if (count == 100)
                early = GC.GetTotalMemory(forceFullCollection: true);
            if (count == 1400)
                late = GC.GetTotalMemory(forceFullCollection: true);
        }
        Assert.That(count, Is.EqualTo(1500));
        // 1,300 frames of 230 kB lie between the two: 300 MB if they were kept.
        Assert.That(late - early, Is.LessThan(4 << 20));
    }

    [Test]
    public void FramesCanBeLeftAndCanceled()
    {
        VideoFile video = Make("a.mp4", 200);
        Assert.That(Number(video.Frames(null).First()), Is.Zero);
        using var source = new CancellationTokenSource();
        Assert.That(() =>
        {
            foreach (RgbImage _ in video.Frames(null, source.Token))
                source.Cancel();
        }, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void WrittenVideosReadBack()
    {
        VideoFile video = Make("a.mp4", 20);
        VideoWriter.Write(In("out/b.mp4"), video, video.Frames(null));
        Assert.That(VideoFile.Open(In("out/b.mp4")).Frames(null).Select(Number), Is.EqualTo(Enumerable.Range(0, 20)));
        Assert.That(Directory.GetFiles(In("out")), Has.Length.EqualTo(1));
        Assert.That(() => VideoWriter.Write(In("out/c.mp4"), video, video.Frames(null).Select<RgbImage, RgbImage>(_ =>
            throw new NotSupportedException("pen"))),
            Throws.TypeOf<NotSupportedException>());
        Assert.That(In("out/c.mp4"), Does.Not.Exist);
    }

    [Test]
    public void AfewsAndMafwsVideosAreSamples()
    {
        foreach (string split in new[] { "Train_AFEW", "Val_AFEW" })
            foreach (string name in new[] { "Angry", "Happy" })
                Make($"{split}/{name}/{name}1.avi", 12);
        DataSetSplits sets = DataSetRegistry.Open(Folder, "afew");
        Assert.That(sets.Train.Samples.Select(sample => sample.Frames.Count), Is.EqualTo(new[] { 12, 12 }));
        using var loader = new BatchLoader(sets.Train, new LoaderOptions { BatchSize = 2, ImageSize = 8, Frames = 4 });
        using Batch batch = loader.Epoch(0).Single();
        // The middles of four stretches of three frames; every frame of one brightness.
        float[] firsts = [.. Enumerable.Range(0, 4).Select(frame => batch.Pixels[frame * 3 * 64])];
        float[] expected = [.. new[] { 1, 4, 7, 10 }.Select(index => (Brightness(index) / 255f - 0.48145466f)
            / 0.26862954f)];
        for (int i = 0; i < 4; i++)
            Assert.That(firsts[i], Is.EqualTo(expected[i]).Within(Rounding / 255f / 0.268f));
        File.WriteAllText(In("Val_AFEW/Happy/bad.avi"), "no video");
        AssertInput(() => DataSetRegistry.Open(Folder, "afew"), "bad.avi", "not a video");
    }

    [Test]
    public void AClipsFramesComeFromOneRun([Values] CacheMode cache)
    {
        VideoFile video = Make("a.mp4", 40), other = Make("b.mkv", 40);
        int[] wanted = [2, 7, 12, 17, 22, 27, 32, 37];
        byte[][] sought = [.. wanted.Select(index => video.FrameAt(index).Pixels)];
        var split = new DataSplit("train", ["a", "b"], [new Sample("a", 0, new VideoFrames(video)),
            new Sample("b", 1, new VideoFrames(other))]);
        var options = new LoaderOptions
        {
            BatchSize = 2,
            ImageSize = Side,
            Frames = 8,
            Threads = 0,
            Cache = cache,
            CacheFolder = In("cache"),
            Mean = [0, 0, 0],
            Std = [1 / 255f, 1 / 255f, 1 / 255f],
        };

        List<string> runs = Counted(() =>
        {
            using var loader = new BatchLoader(split, options);
            using Batch batch = loader.Epoch(0).Single();
            for (int frame = 0; frame < wanted.Length; frame++)
                for (int at = 0; at < Side * Side; at += 97)
                    Assert.That(batch.Pixels[frame * 3 * Side * Side + at], Is.EqualTo((float)sought[frame][3 * at])
                        .Within(1e-3), $"frame {wanted[frame]}");
        });

        Assert.That(runs, Has.Count.EqualTo(2), "one run a video");
    }

    [Test]
    public void FramesThatAreNotThereLeaveTheClipOut()
    {
        VideoFile whole = Make("a.mkv", 60, extra: "-g 6");
        byte[] bytes = File.ReadAllBytes(whole.Path);
        File.WriteAllBytes(In("cut.mkv"), bytes[..(bytes.Length / 2)]);
        var split = new DataSplit("train", ["a", "b"],
            [new Sample("whole", 0, new VideoFrames(whole)),
            new Sample("cut", 1, new VideoFrames(VideoFile.Open(In("cut.mkv"))))]);
        using var loader = new BatchLoader(split, new LoaderOptions { BatchSize = 2, ImageSize = 8, Frames = 8 });

        using Batch batch = loader.Epoch(0).Single();

        Assert.That(batch.Labels.ToArray()[..batch.Count], Is.EqualTo(new[] { 0 }));
        Assert.That(loader.Skipped, Is.Not.Empty);
        foreach ((string name, string reason) in loader.Skipped)
        {
            Assert.That(name, Does.StartWith(In("cut.mkv") + ", frame "));
            Assert.That(reason, Does.Contain("cannot be decoded").And.Not.Contain("\n"));
        }
    }

    /// <summary>Runs with a program on the PATH that writes down each call of ffmpeg.</summary>
    private List<string> Counted(Action work)
    {
        string? path = Environment.GetEnvironmentVariable("PATH");
        string real = path!.Split(':').Select(folder => Path.Combine(folder, "ffmpeg")).First(File.Exists);
        string folder = Directory.CreateDirectory(In("counting")).FullName, log = In("calls");
        File.WriteAllText(Path.Combine(folder, "ffmpeg"), $"#!/bin/sh\necho \"$*\" >>{log}\nexec {real} \"$@\"\n");
        if (OperatingSystem.IsWindows())
            Assert.Ignore("the counting program is a shell script");
        else
            File.SetUnixFileMode(Path.Combine(folder, "ffmpeg"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Environment.SetEnvironmentVariable("PATH", $"{folder}:{path}");
        try
        {
            work();
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
        return File.Exists(log) ? [.. File.ReadAllLines(log)] : [];
    }

    /// <summary>Runs with programs on the PATH that sleep in place of ffmpeg.</summary>
    private T Sleeping<T>(Func<T> work)
    {
        if (OperatingSystem.IsWindows())
            Assert.Ignore("the sleeping program is a shell script");
        string folder = Directory.CreateDirectory(In("sleeping")).FullName;
        foreach (string program in new[] { "ffmpeg", "ffprobe" })
        {
            File.WriteAllText(Path.Combine(folder, program), "#!/bin/sh\nsleep 60\n");
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(Path.Combine(folder, program), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
        string? path = Environment.GetEnvironmentVariable("PATH");
        Environment.SetEnvironmentVariable("PATH", $"{folder}:{path}");
        try
        {
            return work();
        }
        finally
        {
            Environment.SetEnvironmentVariable("PATH", path);
        }
    }

    private static int Brightness(int frame) => 20 + 3 * frame % 220;

    private static int Number(RgbImage image) =>
        (int)Math.Round((image.Pixels[3 * (Side * (Side / 2) + Side / 2)] - 20) / 3.0);

    /// <summary>A video of <paramref name="frames"/> frames, each of a brightness of its own.</summary>
    private VideoFile Make(string name, int frames, double rate = 10, string extra = "")
    {
        string path = In(name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string codec = name.EndsWith(".avi", StringComparison.Ordinal) ? "-c:v ffv1"
            : "-c:v libx264 -qp 1 -preset ultrafast -pix_fmt yuv444p";
        using Process process = Start($"-f rawvideo -pix_fmt rgb24 -s {Side}x{Side} -r {rate} -i - {codec} {extra}",
            path);
        for (int frame = 0; frame < frames; frame++)
        {
            var pixels = new byte[3 * Side * Side];
            pixels.AsSpan().Fill((byte)Brightness(frame));
            process.StandardInput.BaseStream.Write(pixels);
        }
        process.StandardInput.Close();
        End(process);
        return VideoFile.Open(path);
    }

    private static void Ffmpeg(string arguments, string path)
    {
        using Process process = Start(arguments, path);
        process.StandardInput.Close();
        End(process);
    }

    private static Process Start(string arguments, string path) =>
        Process.Start(new ProcessStartInfo("ffmpeg", $"-v error -y {arguments} {path}")
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        })!;

    private static void End(Process process)
    {
        string complaints = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.That(process.ExitCode, Is.Zero, complaints);
    }

    private static void AssertInput(Func<object> open, params string[] parts)
    {
        var failure = Assert.Throws<InputException>(() => open())!;
        foreach (string part in parts)
            Assert.That(failure.Message, Does.Contain(part));
        Assert.That(failure.Message, Does.Not.Contain("\n"));
    }
}
