using Cliper.Kernels.Cpu;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests.Data;

/// <summary>Everything that reads images or lists ends with the images in hand once it is asked to.</summary>
public sealed class CancellationTests : TemporaryFolder
{
    private const int Images = 200, AskedAfter = 10;

    private CancellationTokenSource? _source;
    private int _read;

    [Test]
    public void TheSearchForCopiesEnds() => EndsWithTheImagesInHand(token =>
        DuplicateFinder.Find(Slow("train"), Slow("test"), threads: 1, cancellation: token));

    [Test]
    public void TheSearchForCopiesOfARunEnds() => EndsWithTheImagesInHand(token =>
        RunData.WithoutCopies(Slow("train"), [Slow("test")], drop: true, new Progress<TrainEvent>(), null, token));

    [Test]
    public void CachingEndsAndLeavesNoFile()
    {
        using var loader = new BatchLoader(Slow("train"), new LoaderOptions
        {
            ImageSize = 8,
            Cache = CacheMode.Disk,
            CacheFolder = Folder
        });

        EndsWithTheImagesInHand(token => loader.Prepare(null, token));

        Assert.That(Directory.GetFiles(Folder), Is.Empty);
    }

    [Test]
    public void AnEpochThatWaitsForABatchEnds([Values(0, 1)] int threads)
    {
        using var loader = new BatchLoader(Slow("train"), new LoaderOptions
        {
            ImageSize = 8,
            BatchSize = Images,
            Threads = threads
        });

        EndsWithTheImagesInHand(token => loader.Epoch(0, cancellation: token).First().Dispose());
    }

    [Test]
    public void TrainingThatWaitsForABatchEndsBeforeTheStep()
    {
        using var device = new CpuDevice(1);
        using var loader = new BatchLoader(Slow("train"), new LoaderOptions { ImageSize = 8, BatchSize = Images });
        var settings = new StageSettings { Epochs = 1, BatchSize = Images };
        using var loop = new StageLoop(TrainingStage.Stage1, settings, device, StageLoop.OptimizerOf(settings, []));

        EndsWithTheImagesInHand(token =>
            loop.Run(loader, (_, _, _) => throw new InvalidOperationException("there was a batch"),
            new Progress<TrainEvent>(), _ => { }, token));

        Assert.That((loop.Epoch, loop.Step), Is.EqualTo((0, 0)));
    }

    [Test]
    public void ReadingListsAndFoldersEnds([Values("fer2013", "list", "folder", "clips", "rafdb",
        "captions")] string format)
    {
        string path = Written(format);
        using var source = new CancellationTokenSource();
        source.Cancel();
        Action open = format == "captions"
            ? () => CaptionFile.Open(path, source.Token)
            : () => DataSetRegistry.Open(path, format, new DataSetOptions { Cancellation = source.Token });

        Assert.That(open, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void AFolderIsLeftInTheMiddle()
    {
        string path = Written("folder");
        using var source = new CancellationTokenSource();
        var codec = new EndingCodec(source, 5);

        Assert.That(() => DataSetRegistry.Open(path, "folder", new DataSetOptions
        {
            Cancellation = source.Token,
            Codec = codec
        }),
            Throws.InstanceOf<OperationCanceledException>());

        Assert.That(codec.Asked, Is.EqualTo(5));
    }

    // The reading of an image asks for the end, so that no clock decides. Each worker may have one image in hand then,
    // and may have begun another before it looks.
    private void EndsWithTheImagesInHand(Action<CancellationToken> work)
    {
        using var source = new CancellationTokenSource();
        (_source, _read) = (source, 0);

        Assert.That(() => work(source.Token), Throws.InstanceOf<OperationCanceledException>());

        Assert.That(_read, Is.InRange(AskedAfter, AskedAfter + 2 * Environment.ProcessorCount));
    }

    private DataSplit Slow(string name) => new(name, ["a", "b"], [.. Enumerable.Range(0, Images).Select(i =>
        new Sample($"{i}", i % 2, [new GeneratedFrame($"{name} {i}", () =>
        {
            if (Interlocked.Increment(ref _read) == AskedAfter)
                _source!.Cancel();
            return TestImages.Make(i);
        })]))]);

    private string Written(string format)
    {
        string Image(string path)
        {
            TestImages.Write(In(path), TestImages.Make(1));
            return path;
        }
        string pixels = string.Join(' ', Enumerable.Repeat(0, 48 * 48));
        switch (format)
        {
            case "fer2013":
                File.WriteAllLines(In("fer2013.csv"), ["emotion,pixels,Usage", $"0,{pixels},Training",
                    $"3,{pixels},Training"]);
                return In("fer2013.csv");
            case "list":
                File.WriteAllLines(In("a.csv"), [$"{Image("a.png")},happy", $"{Image("b.png")},sad"]);
                return In("a.csv");
            case "captions":
                File.WriteAllLines(In(CaptionFile.FileName), ["file,caption", $"{Image("a.png")},a face"]);
                return Folder;
            case "rafdb":
                Directory.CreateDirectory(In("EmoLabel"));
                File.WriteAllLines(In("EmoLabel/list_patition_label.txt"), ["train_00001.jpg 1", "test_0001.jpg 2"]);
                Image("Image/aligned/train_00001_aligned.jpg");
                return Folder;
            default:
                foreach (string expression in new[] { "happy", "sad" })
                    for (int i = 0; i < 8; i++)
                        Image(format == "clips" ? $"{expression}/S{i}_1/1.png" : $"{expression}/{i}.png");
                return Folder;
        }
    }

    /// <summary>Asks for the end once it has been asked so often whether a file is an image.</summary>
    private sealed class EndingCodec(CancellationTokenSource source, int after) : IImageCodec
    {
        public int Asked { get; private set; }

        public bool CanRead(string extension)
        {
            if (++Asked == after)
                source.Cancel();
            return ImageCodec.Instance.CanRead(extension);
        }

        public RgbImage Decode(ReadOnlySpan<byte> encoded, string name) => ImageCodec.Instance.Decode(encoded, name);

        public byte[] Encode(RgbImage image, ImageFormat format, int quality = 90) => ImageCodec.Instance.Encode(image,
            format, quality);
    }
}
