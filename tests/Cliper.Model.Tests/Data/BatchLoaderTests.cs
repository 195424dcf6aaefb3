using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

public sealed class BatchLoaderTests : TemporaryFolder
{
    private static readonly LoaderOptions Small = new() { BatchSize = 4, ImageSize = 12, Seed = 3 };

    [Test]
    public void EveryNameIsAReadyAugmentation() =>
        Assert.That(Augmentation.Names.Select(name => Augmentation.Named(name).Name), Is.EqualTo(Augmentation.Names));

    [Test]
    public void AnEpochHasEverySampleOnce([Values(0, 1, 3)] int threads, [Values] SampleOrder order,
        [Values] bool dropLast)
    {
        using var loader = new BatchLoader(TestImages.Split(18), Small with
        {
            Threads = threads,
            Order = order,
            DropLast = dropLast
        });
        (List<int> indices, List<int> labels, List<int> counts) = ([], [], []);
        foreach (Batch batch in loader.Epoch(0))
        {
            Assert.That(batch.Number, Is.EqualTo(counts.Count));
            Assert.That(batch.Pixels.Length, Is.EqualTo(batch.Count * 3 * 12 * 12));
            counts.Add(batch.Count);
            indices.AddRange(batch.Indices);
            labels.AddRange(batch.Labels);
            batch.Dispose();
        }
        Assert.That(counts, Is.EqualTo(dropLast ? new[] { 4, 4, 4, 4 } : [4, 4, 4, 4, 2]));
        Assert.That(loader.BatchesPerEpoch, Is.EqualTo(counts.Count));
        Assert.That(labels, Is.EqualTo(indices.Select(index => index % 2)));
        if (order != SampleOrder.Balanced)
            Assert.That(indices, Is.Unique);
        if (order == SampleOrder.AsGiven)
            Assert.That(indices, Is.Ordered);
        else
            Assert.That(indices, Is.Not.Ordered);
    }

    // Pixels depend on (seed, epoch, sample) alone: not on threads, prefetching, cache, batch size or where an epoch
    // begins.
    [Test]
    public void PixelsDependOnSeedEpochAndSampleAlone(
        [Values("none", "light", "strong", "script", "paper")] string augmentation,
        [Values] bool gray,
        [Values(10, 40)] int side)
    {
        DataSplit split = TestImages.Split(11, width: side, height: side + 7, gray: gray);
        LoaderOptions options = Small with
        {
            Augmentation = Augmentation.Named(augmentation),
            Order = SampleOrder.Shuffled
        };
        Dictionary<int, float[]> expected = Pixels(split, options with { Threads = 0 }, 1);

        AssertSame(Pixels(split, options with { Threads = 1 }, 1), expected);
        AssertSame(Pixels(split, options with { Threads = 3, Prefetch = 1, BatchSize = 3 }, 1), expected);
        AssertSame(Pixels(split, options with { Threads = 2, Cache = CacheMode.Memory }, 1, epochs: 2), expected);
        AssertSame(Pixels(split, options with { Threads = 2, Cache = CacheMode.Memory, CacheBytes = 2000 }, 1,
            epochs: 2), expected);
        AssertSame(Pixels(split, options with { Threads = 2, Cache = CacheMode.Disk, CacheFolder = Folder }, 1,
            epochs: 2), expected);
        AssertSame(Pixels(split, options, 1, firstBatch: 1), expected, missing: 4);

        bool isRandom = augmentation != "none";
        Assert.That(Same(Pixels(split, options, 2), expected), Is.EqualTo(!isRandom), "another epoch");
        Assert.That(Same(Pixels(split, options with { Seed = 4 }, 1), expected), Is.EqualTo(!isRandom), "another seed");
    }

    [Test]
    public void AnAugmentationMayGrowOverTheFirstEpochs([Values("light", "strong", "script", "paper")] string name)
    {
        DataSplit split = TestImages.Split(6, width: 20, height: 20);
        LoaderOptions plain = Small with { Order = SampleOrder.Shuffled },
            full = plain with { Augmentation = Augmentation.Named(name) },
            growing = full with { AugmentationRampEpochs = 4 };
        AssertSame(Pixels(split, growing with { Augmentation = Augmentation.Light }, 0), Pixels(split, plain, 0));
        Assert.That(Same(Pixels(split, growing, 2), Pixels(split, plain, 2)), Is.False);
        Assert.That(Same(Pixels(split, growing, 2), Pixels(split, full, 2)), Is.False);
        AssertSame(Pixels(split, growing, 4), Pixels(split, full, 4));
        AssertSame(Pixels(split, growing, 9), Pixels(split, full, 9));
        Assert.That(Augmentation.Named(name).Scaled(0).IsNone, Is.True);
    }

    [Test]
    public void MirroredImagesFollowTheirOwn()
    {
        DataSplit split = TestImages.Split(5, width: 20, height: 18);
        using var plain = new BatchLoader(split, Small);
        using var both = new BatchLoader(split, Small with { Mirrored = true });
        using Batch one = plain.Epoch(0).First(), two = both.Epoch(0).First();
        int side = Small.ImageSize, plane = 3 * side * side;

        Assert.That((two.Count, two.Frames), Is.EqualTo((one.Count, 2)));
        for (int image = 0; image < one.Count; image++)
        {
            float[] own = one.Pixels.Slice(image * plane, plane).ToArray();
            Assert.That(two.Pixels.Slice(2 * image * plane, plane).ToArray(), Is.EqualTo(own));
            Assert.That(two.Pixels.Slice((2 * image + 1) * plane, plane).ToArray(),
                Is.EqualTo(own.Chunk(side).SelectMany(row => row.Reverse())));
        }
    }

    [Test]
    public void GrayImagesAreAsTheirThreeChannels([Values("light", "strong", "script", "paper")] string augmentation)
    {
        RgbImage gray = TestImages.Make(1, 20, 20, gray: true);
        var pipeline = new PixelPipeline(12, Augmentation.Named(augmentation), Normalize.Table([0, 0, 0], [1, 1, 1]));
        var one = new StoredImage(20, 20, 1, gray.Pixels.Where((_, i) => i % 3 == 0).ToArray());
        var three = new StoredImage(20, 20, 3, gray.Pixels);
        for (uint sample = 0; sample < 20; sample++)
        {
            var random = new RandomStream(1, RandomPurpose.Augmentation, 0, sample);
            float[] a = new float[3 * 144], b = new float[3 * 144];
            pipeline.Render(one, pipeline.Draw(one, random), a);
            pipeline.Render(three, pipeline.Draw(three, random), b);
            Assert.That(a, Is.EqualTo(b));
        }
        Assert.That(StoredImage.Of(gray).Channels, Is.EqualTo(1));
    }

    [Test]
    public void BalancedEpochsDrawEveryClassAlikeAndVaryRepeats()
    {
        DataSplit split = TestImages.Split(20);
        // 18 of class 0, 2 of class 1.
        split = new DataSplit("train", split.Classes,
            [.. split.Samples.Select((sample, i) => sample with { Label = i < 18 ? 0 : 1 })]);
        using var loader = new BatchLoader(split, Small with
        {
            Order = SampleOrder.Balanced,
            Augmentation =
            Augmentation.Light,
            BatchSize = 20
        });
        using Batch batch = loader.Epoch(0).Single();

        Assert.That(batch.Labels.Count(label => label == 1), Is.EqualTo(10));
        int[] slots = [.. Enumerable.Range(0, 20).Where(slot => batch.Indices[slot] == 19)];
        Assert.That(slots, Has.Length.EqualTo(5));
        Assert.That(slots.Select(slot => batch.Pixels.Slice(slot * 432, 432).ToArray().Sum()), Is.Unique);
    }

    [Test]
    public void ClipsShareOneVariation()
    {
        // Every frame shows the same, so frames may differ only if their variation does.
        DataSplit split = new("train", ["a", "b"], [.. Enumerable.Range(0, 6).Select(i =>
            new Sample($"clip {i}", i % 2,
            [.. Enumerable.Range(0, 9).Select(f => new GeneratedFrame($"{i} {f}", () => TestImages.Make(i)))]))]);
        using var loader = new BatchLoader(split, Small with
        {
            Frames = 4,
            Augmentation = Augmentation.Script,
            Order = SampleOrder.Shuffled
        });
        foreach (Batch batch in loader.Epoch(0))
        {
            Assert.That(batch.Pixels.Length, Is.EqualTo(batch.Count * 4 * 432));
            for (int frame = 0; frame < batch.Count * 4; frame++)
                Assert.That(batch.Pixels.Slice(frame * 432, 432)
                    .SequenceEqual(batch.Pixels.Slice(frame / 4 * 4 * 432, 432)));
            batch.Dispose();
        }
    }

    [Test]
    public void UnreadableImagesAreSkippedAndRecordedOrRefused([Values] CacheMode cache, [Values(0, 2)] int threads)
    {
        DataSplit split = FilesWithDamage();
        LoaderOptions options = Small with { Cache = cache, CacheFolder = In("cache"), Threads = threads };
        using (var loader = new BatchLoader(split, options))
        {
            List<int> indices = [];
            foreach (Batch batch in loader.Epoch(0))
            {
                Assert.That(batch.Labels, Is.EqualTo(batch.Indices.Select(index => index % 2)));
                indices.AddRange(batch.Indices);
                batch.Dispose();
            }
            Assert.That(indices, Is.EqualTo(new[] { 0, 2, 3, 8, 9 }), "1 is damaged, and all of the second batch");
            Assert.That(loader.Skipped, Has.Count.EqualTo(5));
            Assert.That(loader.Skipped.First().Value, Does.Contain(loader.Skipped.First().Key));
        }
        using var strict = new BatchLoader(split, options with { Strict = true, CacheFolder = In("other") });
        Assert.That(() => strict.Epoch(0).ToList(), Throws.TypeOf<InputException>().With.Message.Contains("bad"));
    }

    [Test]
    public void NoReadableImageAtAllIsAnError()
    {
        File.WriteAllText(In("bad.png"), "no picture");
        using var loader =
            new BatchLoader(new DataSplit("train", ["a"], [new Sample("bad", 0, [new FileFrame(In("bad.png"))])]),
            Small);
        Assert.That(() => loader.Epoch(0).ToList(),
            Throws.TypeOf<InputException>().With.Message.Contains("none of the pictures"));
    }

    [Test]
    public void TheCacheFileIsMadeOnceAndAnewWhenDamagedOrOutdated()
    {
        int loads = 0;
        string name = "a";
        DataSplit Split() => new("train", ["a", "b"],
            [.. Enumerable.Range(0, 6).Select(i => new Sample($"{i}", i % 2, [new GeneratedFrame($"{name} {i}", () =>
        {
            Interlocked.Increment(ref loads);
            return TestImages.Make(i);
        })]))]);
        LoaderOptions options = Small with { Cache = CacheMode.Disk, CacheFolder = Folder };
        void Expect(int expected, string why)
        {
            loads = 0;
            using var loader = new BatchLoader(Split(), options);
            foreach (Batch batch in loader.Epoch(0))
                batch.Dispose();
            Assert.That(loads, Is.EqualTo(expected), why);
        }

        Expect(6, "first");
        Expect(0, "second");
        string file = Directory.GetFiles(Folder).Single();
        byte[] whole = File.ReadAllBytes(file);
        foreach (int at in new[] { 0, 9, 44, 60, whole.Length / 2, whole.Length - 1 })
        {
            byte[] damaged = [.. whole];
            damaged[at] ^= 1;
            File.WriteAllBytes(file, damaged);
            Expect(6, $"byte {at} changed");
            Assert.That(File.ReadAllBytes(file), Is.EqualTo(whole));
        }
        File.WriteAllBytes(file, whole[..^1]);
        Expect(6, "cut short");
        File.WriteAllBytes(file, []);
        Expect(6, "empty");
        name = "b";
        Expect(6, "other pictures");
        Assert.That(Directory.GetFiles(Folder), Has.Length.EqualTo(1), "nothing temporary is left");
    }

    [Test]
    public void ACacheOfMoreImagesServesFewer()
    {
        int loads = 0;
        Sample Make(int i) => new($"{i}", i % 2, [new GeneratedFrame($"{i}", () =>
        {
            Interlocked.Increment(ref loads);
            return TestImages.Make(i);
        })]);
        LoaderOptions options = Small with { Cache = CacheMode.Disk, CacheFolder = Folder };
        float[] First(int[] samples)
        {
            loads = 0;
            using var loader = new BatchLoader(new DataSplit("train", ["a", "b"], [.. samples.Select(Make)]), options);
            using Batch batch = loader.Epoch(0).First();
            return [.. batch.Pixels[..432]];
        }

        float[] all = First([3, 1, 2, 0]);
        Assert.That(loads, Is.EqualTo(4));
        Assert.That(First([2, 3]), Is.Not.EqualTo(all));
        Assert.That(First([3, 0]), Is.EqualTo(all));
        Assert.That(loads, Is.Zero, "all of these are in the file");
        First([3, 4]);
        Assert.That(loads, Is.EqualTo(2), "one is not");
    }

    [Test]
    [CancelAfter(120_000)]
    public void DamagedCachesAreNeverUsed()
    {
        const int Rounds = 300;
        DataSplit split = TestImages.Split(4);
        LoaderOptions options = Small with { Cache = CacheMode.Disk, CacheFolder = Folder };
        float[] Pixels()
        {
            using var loader = new BatchLoader(split, options);
            using Batch batch = loader.Epoch(0).First();
            return [.. batch.Pixels];
        }
        float[] expected = Pixels();
        string file = Directory.GetFiles(Folder).Single();
        byte[] whole = File.ReadAllBytes(file);
        var random = new Random(1);
        for (int round = 0; round < Rounds; round++)
        {
            byte[] damaged = random.Next(4) == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            for (int change = random.Next(1, 4); change > 0 && damaged.Length > 0; change--)
                damaged[random.Next(random.Next(2) == 0 ? Math.Min(damaged.Length, 220) : damaged.Length)] =
                    (byte)random.Next(256);
            File.WriteAllBytes(file, damaged);
            Assert.That(Pixels(), Is.EqualTo(expected));
            Assert.That(File.ReadAllBytes(file), Is.EqualTo(whole), "made anew");
        }
    }

    [Test]
    public void AnUnwritableCacheIsNamed()
    {
        File.WriteAllText(In("file"), "");
        using var loader = new BatchLoader(TestImages.Split(2), Small with
        {
            Cache = CacheMode.Disk,
            CacheFolder = In("file/below")
        });
        Assert.That(() => loader.Epoch(0).ToList(),
            Throws.TypeOf<InputException>().With.Message.Contains("file/below"));
    }

    [Test]
    public void EpochsCanBeLeftAndCanceled([Values(0, 2)] int threads)
    {
        using var loader = new BatchLoader(TestImages.Split(40), Small with { Threads = threads });
        using (Batch first = loader.Epoch(0).First())
            Assert.That(first.Number, Is.Zero);
        using var source = new CancellationTokenSource();
        Assert.That(() =>
        {
            foreach (Batch batch in loader.Epoch(0, 0, source.Token))
            {
                batch.Dispose();
                source.Cancel();
            }
        }, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void AFaultInDrawingIsThrownToTheConsumer([Values(0, 2)] int threads)
    {
        DataSplit split = new("train", ["a"],
            [new Sample("a", 0, [new GeneratedFrame("a", () => throw new NotSupportedException("pen"))])]);
        using var loader = new BatchLoader(split, Small with { Threads = threads });
        Assert.That(() => loader.Epoch(0).ToList(), Throws.TypeOf<NotSupportedException>());
    }

    [Test]
    public void SettingsOutOfRangeAreNamed()
    {
        DataSplit split = TestImages.Split(2);
        Assert.That(() => new BatchLoader(split, Small with { BatchSize = 0 }),
            Throws.TypeOf<SettingsException>().With.Message.Contains("batch size"));
        Assert.That(() => new BatchLoader(split, Small with { Frames = 3, FramesPerSegment = 2 }),
            Throws.TypeOf<SettingsException>());
        Assert.That(() => new BatchLoader(split, Small with { Cache = CacheMode.Disk }),
            Throws.TypeOf<SettingsException>().With.Message.Contains("folder"));
        Assert.That(() => new BatchLoader(split, Small with { Augmentation = new() { Flip = 2 } }),
            Throws.TypeOf<SettingsException>().With.Message.Contains("Flip"));
        Assert.That(() => Augmentation.Named("fierce"),
            Throws.TypeOf<SettingsException>().With.Message.Contains("light"));
    }

    private DataSplit FilesWithDamage()
    {
        var samples = new List<Sample>();
        for (int i = 0; i < 10; i++)
        {
            bool isBad = i is 1 or >= 4 and < 8;
            string path = In(isBad ? $"bad{i}.png" : $"good{i}.png");
            byte[] png = SkiaImageCodec.Instance.Encode(TestImages.Make(i), ImageFormat.Png);
            File.WriteAllBytes(path, isBad ? png[..(png.Length / 2)] : png);
            samples.Add(new Sample($"{i}", i % 2, [new FileFrame(path)]));
        }
        return new DataSplit("train", ["a", "b"], samples);
    }

    private static Dictionary<int, float[]> Pixels(DataSplit split, LoaderOptions options, int epoch, int firstBatch =
        0, int epochs = 1)
    {
        var pixels = new Dictionary<int, float[]>();
        using var loader = new BatchLoader(split, options);
        for (int round = 0; round < epochs; round++)
        {
            pixels.Clear();
            foreach (Batch batch in loader.Epoch(epoch, firstBatch))
            {
                for (int i = 0; i < batch.Count; i++)
                    pixels.Add(batch.Indices[i], batch.Pixels.Slice(i * 432, 432).ToArray());
                batch.Dispose();
            }
        }
        return pixels;
    }

    private static void AssertSame(Dictionary<int, float[]> actual, Dictionary<int, float[]> expected, int missing = 0)
    {
        Assert.That(actual, Has.Count.EqualTo(expected.Count - missing));
        foreach ((int index, float[] values) in actual)
            Assert.That(values.AsSpan().SequenceEqual(expected[index]), $"sample {index}");
    }

    private static bool Same(Dictionary<int, float[]> a, Dictionary<int, float[]> b) =>
        a.All(pair => pair.Value.AsSpan().SequenceEqual(b[pair.Key]));
}
