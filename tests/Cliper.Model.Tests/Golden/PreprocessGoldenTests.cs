using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>Resizing, CLIP's preprocessing and the augmentations against Pillow and torchvision: bytes are
/// equal.</summary>
[Category("Golden")]
public sealed class PreprocessGoldenTests
{
    private const string FileName = "preprocess.safetensors";

    private static IEnumerable<TestCaseData> Files => GoldenSet.Files(FileName);

    [TestCaseSource(nameof(Files))]
    public void PicturesAgree(GoldenSet set)
    {
        using TensorSource golden = TensorSource.Open(Path.Combine(set.Folder, set.Name));
        string[] pictures = [.. golden.Tensors.Keys.Where(name => name.EndsWith(".rgb", StringComparison.Ordinal))];
        Assert.That(pictures, Is.Not.Empty);
        foreach (string name in pictures)
        {
            string picture = name[..^"rgb".Length];
            (byte[] pixels, int width, int height) = Picture(golden, name);
            // The name ends with the shorter side, such as "resize224".
            string resizedName = golden.Tensors.Keys.Single(other =>
                other.StartsWith(picture + "resize", StringComparison.Ordinal));
            (byte[] resized, int resizedWidth, int resizedHeight) = Picture(golden, resizedName);
            var target = new byte[resized.Length];
            Resize.Forward<Bicubic>(pixels, width, height, 3, resizedWidth, resizedHeight, target);
            Assert.That(target.AsSpan().SequenceEqual(resized), resizedName);

            float[] expected = golden.ReadFloats(picture + "clip");
            int size = (int)golden.Entry(picture + "clip").Shape[1];
            var actual = new float[expected.Length];
            var pipeline = new PixelPipeline(size, Augmentation.None,
                Normalize.Table(ClipConfig.ClipMean.ToArray(), ClipConfig.ClipStd.ToArray()));
            StoredImage stored = PixelCache.Store(new RgbImage(width, height, pixels), size, fromOriginal: false);
            pipeline.Render(stored, pipeline.Draw(stored, default), actual);
            // (byte / 255 - mean) / std: three roundings of values up to 2.7 at each side.
            GoldenSet.AssertClose(actual, expected, 6 * 2.7 / (1 << 24), picture + "clip");
        }
    }

    [TestCaseSource(nameof(Files))]
    public void AugmentationsAgree(GoldenSet set)
    {
        using TensorSource golden = TensorSource.Open(Path.Combine(set.Folder, set.Name));
        (byte[] source, int width, int height) = Picture(golden, "aug.source");
        long[] box = golden.ReadIntegers("aug.crop_box_ijhw");
        var crop = new PixelBox((int)box[1], (int)box[0], (int)box[3], (int)box[2]);
        string[] names = [.. golden.Tensors.Keys.Where(name => name.StartsWith("aug.", StringComparison.Ordinal)
            && name is not ("aug.source" or "aug.crop_box_ijhw"))];
        Assert.That(names, Is.Not.Empty);
        foreach (string name in names)
        {
            (byte[] expected, int w, int h) = Picture(golden, name);
            byte[] actual = [.. source];
            string[] parts = name.Split('.', 3);
            float amount = parts.Length > 2 ? float.Parse(parts[2], CultureInfo.InvariantCulture) : 0;
            switch (parts[1])
            {
                case "resized_crop_bicubic":
                    actual = new byte[expected.Length];
                    Resize.Forward<Bicubic>(source, width, height, 3, new(crop, w, h, new(0, 0, w, h)), actual);
                    break;
                case "resized_crop_bilinear":
                    actual = new byte[expected.Length];
                    Resize.Forward<Bilinear>(source, width, height, 3, new(crop, w, h, new(0, 0, w, h)), actual);
                    break;
                case "hflip": Flip.Horizontal(actual, width, 3); break;
                case "brightness": ColorJitter.Brightness(actual, amount); break;
                case "contrast": ColorJitter.Contrast(actual, 3, amount); break;
                case "saturation": ColorJitter.Saturation(actual, 3, amount); break;
                case "hue": ColorJitter.Hue(actual, 3, amount); break;
                default: Assert.Fail($"{name}: no such augmentation is tested"); break;
            }
            Assert.That(actual.AsSpan().SequenceEqual(expected), name);
        }
    }

    private static (byte[] Pixels, int Width, int Height) Picture(TensorSource golden, string name)
    {
        IReadOnlyList<long> shape = golden.Entry(name).Shape;
        return (golden.ReadBytes(name), (int)shape[1], (int)shape[0]);
    }
}
