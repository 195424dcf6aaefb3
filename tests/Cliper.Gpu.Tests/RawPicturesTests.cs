using System.Globalization;
using Cliper.Autograd;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;
using Cliper.Model.Tests.Data;
using Cliper.Model.Tests.Golden;
using Cliper.Model.Weights;
using static Cliper.Kernels.Operations.ColorJitter;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Whole batches made on the device: the numbers that the host's pipeline gives with the same draws, rounded, in every
/// protocol; PyTorch's and Pillow's pictures through the device's operations.
/// </summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class RawPicturesTests(bool emulated) : PictureFixture
{
    private const int Size = 24, Patch = 8;

    private static readonly float[] Table = Normalize.Table(ClipConfig.ClipMean.ToArray(),
        ClipConfig.ClipStd.ToArray());

    protected override bool Emulated => emulated;

    private static IEnumerable<TestCaseData> GoldenFiles =>
        GoldenSet.Files("preprocess.safetensors").Select(WholeModelTests.OthersAreLong);

    [Test]
    public void ABatchHasTheHostsBits([ValueSource(typeof(Augmentation), nameof(Augmentation.Names))] string protocol)
    {
        var pipeline = new PixelPipeline(Size, Augmentation.Named(protocol), Table);
        // The input's size, smaller, larger, wide, tall, one pixel, gray.
        (int Width, int Height, bool Gray)[] sizes = emulated ? [(Size, Size, false), (17, 9, false), (23, 31, true)]
            : [(Size, Size, false), (Size, Size, true), (17, 9, false), (23, 31, false), (61, 7, false), (5, 40, true),
                (1, 1, false), (33, 33, false)];
        (StoredImage Image, ImageTransform Plan)[] pictures =
            [.. sizes.SelectMany((s, seed) => Enumerable.Range(0, emulated ? 1 : 3).Select(sample =>
        {
            StoredImage image = PixelCache.Store(TestImages.Make(seed, s.Width, s.Height, s.Gray), Size,
                Augmentation.Named(protocol).FromOriginal);
            return (image, pipeline.Draw(image, new RandomStream(7, RandomPurpose.Augmentation, 1,
                (uint)(10 * seed + sample))));
        }))];
        var expected = new float[pictures.Length * 3 * Size * Size];
        for (int i = 0; i < pictures.Length; i++)
            pipeline.Render(pictures[i].Image, pictures[i].Plan, expected.AsSpan(i * 3 * Size * Size, 3 * Size * Size));
        expected = InPatches(expected, Size, Patch);
        using var host = new CpuDevice(1);

        foreach (Device device in new Device[] { Device, host })
        {
            using Tensor actual = new RawImages(pictures, pipeline, Patch).Render(device);
            Assert.That(actual.Shape, Is.EqualTo(new Shape(pictures.Length, 9, 3 * Patch * Patch)));
            Assert.That(actual.ToArray(), Is.EqualTo(device is CpuDevice ? expected : Rounded(expected)), device.Name);
        }
        Assert.That(host.LiveArrays, Is.Zero);
        // Squares and crops take three launches each, the others one.
        Assert.That(Device.Launched.Count, Is.AtMost(7));
        var augmentation = Augmentation.Named(protocol);
        if (protocol != "none" && !emulated)
            Assert.That((pictures.Any(p => p.Plan.Changes is not null), pictures.Any(p => p.Plan.Erased is not null),
                pictures.Any(p => p.Plan.Flip || p.Plan.Map is not null)),
                Is.EqualTo((augmentation.Brightness > 0, augmentation.Erase > 0, true)), "color, erasing, place");
    }

    // The pictures have 588, 432, 75 and 1200 bytes: two and two are sent together, then each by itself, the third
    // beneath the bound.
    [TestCase(1300)]
    [TestCase(100)]
    public void HowManyAreUploadedTogetherDoesNotMatter(int gathered)
    {
        var pipeline = new PixelPipeline(Size, Augmentation.None, Table);
        (StoredImage Image, ImageTransform Plan)[] pictures = [.. new[] { 14, 12, 5, 20 }.Select((side, seed) =>
        {
            StoredImage image = PixelCache.Store(TestImages.Make(seed, side, side), Size, fromOriginal: false);
            return (image, pipeline.Draw(image, new RandomStream(7, RandomPurpose.Augmentation, 1, (uint)seed)));
        })];

        using Tensor all = new RawImages(pictures, pipeline, Patch).Render(Device), parts =
            new RawImages(pictures, pipeline, Patch, gathered).Render(Device);

        Assert.That(parts.ToArray(), Is.EqualTo(all.ToArray()));
    }

    [Test]
    public void AnEpochOfClipsHasTheHostsBits([Values("script", "paper", "light")] string protocol)
    {
        if (emulated)
            Assert.Ignore("launches of the same kernels as in ABatchHasTheHostsBits");
        // Five clips of three frames, one of which cannot be read: its batch has one less.
        var split = new DataSplit("train", ["a", "b"],
            [.. Enumerable.Range(0, 5).Select(clip => new Sample($"clip {clip}", clip % 2,
            [.. Enumerable.Range(0, 3).Select(frame => new GeneratedFrame($"{clip}.{frame}", () => clip == 2
                ? throw new InputException("unreadable") : TestImages.Make(clip, 26, 22 + frame)))]))]);
        var options = new LoaderOptions
        {
            BatchSize = 2,
            ImageSize = 12,
            PatchSize = 6,
            Frames = 3,
            Order = SampleOrder.Shuffled,
            Augmentation = Augmentation.Named(protocol),
            Seed = 3,
            Threads = 2,
        };
        using BatchLoader onHost = new(split, options), onDevice = new(split, options with { Device = Device });

        foreach ((Batch expected, Batch actual) in onHost.Epoch(1).Zip(onDevice.Epoch(1)))
        {
            using Tensor pixels = actual.TakePixels(Device);
            Assert.That(pixels.ToArray(),
                Is.EqualTo(Rounded(InPatches(expected.Pixels, options.ImageSize, options.PatchSize))));
            Assert.That((actual.Count, actual.Labels, actual.Indices),
                Is.EqualTo((expected.Count, expected.Labels, expected.Indices)).AsCollection);
            Assert.That(() => actual.Pixels.Length, Throws.InvalidOperationException);
            actual.Dispose();
            expected.Dispose();
        }
        Assert.That(onDevice.Skipped.Keys, Is.EquivalentTo(onHost.Skipped.Keys).And.Not.Empty);
    }

    [Test]
    public void PatchesThatDoNotDivideAPictureAreNamed()
    {
        DataSplit split = TestImages.Split(2, width: 8, height: 8);
        Assert.That(() => new BatchLoader(split, new LoaderOptions { Device = Device, ImageSize = 8, PatchSize = 3 }),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(
            "patches of 3 pixels do not divide the 8 of a side"));
    }

    [TestCaseSource(nameof(GoldenFiles))]
    public void ReferencePicturesAgree(GoldenSet set)
    {
        using TensorSource golden = TensorSource.Open(Path.Combine(set.Folder, set.Name));
        foreach (string name in golden.Tensors.Keys.Where(name => name.EndsWith(".rgb", StringComparison.Ordinal)))
        {
            (byte[] pixels, int width, int height) = Read(golden, name);
            string clip = name[..^"rgb".Length] + "clip";
            int size = (int)golden.Entry(clip).Shape[1];
            var pipeline = new PixelPipeline(size, Augmentation.None, Table);
            // Not as it would be cached: the device reduces it.
            var image = new StoredImage(width, height, 3, pixels);
            ImageTransform plan = pipeline.Draw(image, default);
            var expected = new float[3 * size * size];
            pipeline.Render(image, plan, expected);

            // One patch: planes.
            using Tensor actual = new RawImages([(image, plan)], pipeline, size).Render(Device);

            Assert.That(actual.ToArray(), Is.EqualTo(Rounded(expected)), name);
            // Three roundings of values up to 2.7 at each side, and one to the 16-bit format.
            GoldenSet.AssertClose(actual.ToArray(), golden.ReadFloats(clip), 2.7 * (6 * U32 + U16), clip);
        }
    }

    [TestCaseSource(nameof(GoldenFiles))]
    public void ReferenceAugmentationsAgree(GoldenSet set)
    {
        using TensorSource golden = TensorSource.Open(Path.Combine(set.Folder, set.Name));
        (byte[] source, int width, int height) = Read(golden, "aug.source");
        long[] box = golden.ReadIntegers("aug.crop_box_ijhw");
        var crop = new PixelBox((int)box[1], (int)box[0], (int)box[3], (int)box[2]);
        string[] names = [.. golden.Tensors.Keys.Where(name => name.StartsWith("aug.", StringComparison.Ordinal)
            && name is not ("aug.source" or "aug.crop_box_ijhw"))];
        ImageView original = Pack([(source, width, height, 3)])[0];
        ImageView[] copies = Pack(names.Select(_ => (source, width, height, 3)));

        foreach ((string name, ImageView copy) in names.Zip(copies))
        {
            (byte[] expected, int w, int h) = Read(golden, name);
            ImageView target = Empty([(w, h, 3)])[0];
            string[] parts = name.Split('.', 3);
            float amount = parts.Length > 2 ? float.Parse(parts[2], CultureInfo.InvariantCulture) : 0;
            var none = new Changes(Change.Brightness, Change.Contrast, Change.Saturation, Change.Hue, 1, 1, 1, 0);
            PixelBox whole = new(0, 0, w, h);
            switch (parts[1])
            {
                case "resized_crop_bicubic":
                    Resize.Forward<Bicubic>([new(original, crop, w, h, whole, false,
                    target)]); break;
                case "resized_crop_bilinear":
                    Resize.Forward<Bilinear>([new(original, crop, w, h, whole, false,
                    target)]); break;
                case "hflip": Resize.Forward<Bicubic>([new(original, whole, w, h, whole, true, target)]); break;
                default:
                    Forward([(target = copy, parts[1] switch
                    {
                        "brightness" => none with { Brightness = amount },
                        "contrast" => none with { Contrast = amount },
                        "saturation" => none with { Saturation = amount },
                        "hue" => none with { Hue = amount },
                        _ => throw new ArgumentException($"{name}: no such augmentation is tested"),
                    })]);
                    break;
            }
            Assert.That(Bytes(target).AsSpan().SequenceEqual(expected), name);
        }
    }

    /// <remarks>
    /// The tower takes patches that were made of bytes, or unfolds fp32 planes of the same pictures itself: the same
    /// products.
    /// </remarks>
    [Test]
    public void TheTowerGivesTheSameBitsOfPatchesAsOfPlanes()
    {
        if (emulated)
            Assert.Ignore("the same launches but one, which NormalizeTests compares there");
        ClipConfig config = BenchmarkTests.Config;
        var pipeline = new PixelPipeline(config.ImageSize, Augmentation.None, Table);
        (StoredImage Image, ImageTransform Plan)[] pictures = [.. Enumerable.Range(0, 3).Select(seed =>
            (StoredImage.Of(TestImages.Make(seed, config.ImageSize, config.ImageSize)), new ImageTransform()))];
        var shape = new Shape(pictures.Length, 3, config.ImageSize, config.ImageSize);
        var planes = new float[shape.Count];
        int each = planes.Length / pictures.Length;
        for (int i = 0; i < pictures.Length; i++)
            pipeline.Render(pictures[i].Image, pictures[i].Plan, planes.AsSpan(i * each, each));
        using ClipWeights weights = ClipWeights.Random(config, seed: 2);
        using var model = new ClipModel(Device, weights);
        model.Parameters.Train(ClipModel.IsVision);

        float[][] ofPlanes = FeaturesAndGradients(Tensor.From(Device, planes, shape)),
            ofPatches = FeaturesAndGradients(new RawImages(pictures, pipeline, config.PatchSize).Render(Device));

        Assert.That(ofPatches, Is.EqualTo(ofPlanes));
        Assert.That(ofPatches.All(values => values.Any(value => value != 0)), "zeros");

        float[][] FeaturesAndGradients(Tensor images)
        {
            using var tape = new Tape(Device);
            Tensor features = model.Vision.Forward(tape, tape.Own(images));
            float[] values = features.ToArray();
            tape.Backward(tape.Sum(tape.Multiply(features, features)));
            Tensor[] trained = [.. model.Parameters.Names.Where(ClipModel.IsVision).Select(name =>
                model.Parameters[name])];
            float[][] result = [values, .. trained.Select(tensor => Device.ToFloats(tensor.Gradient))];
            foreach (Tensor tensor in trained)
                tensor.ClearGradient();
            return result;
        }
    }

    // Planes [pictures, 3, size, size], unfolded by the host.
    private static float[] InPatches(ReadOnlySpan<float> planes, int size, int patch)
    {
        using var host = new CpuDevice(1);
        DeviceArray unfolded = host.Allocate(planes.Length);
        PatchEmbedding.Unfold(host.From(planes), unfolded, new(planes.Length / (3 * size * size), 3, size,
            size, patch, 1));
        return host.ToFloats(unfolded);
    }

    private static (byte[] Pixels, int Width, int Height) Read(TensorSource golden, string name)
    {
        IReadOnlyList<long> shape = golden.Entry(name).Shape;
        return (golden.ReadBytes(name), (int)shape[1], (int)shape[0]);
    }
}
