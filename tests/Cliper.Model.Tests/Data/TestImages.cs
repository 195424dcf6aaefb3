using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Tests.Data;

/// <summary>Small images that tests write to their folders.</summary>
internal static class TestImages
{
    /// <summary>Smooth noise, different for every seed.</summary>
    public static RgbImage Make(int seed, int width = 20, int height = 16, bool gray = false)
    {
        var random = new Random(seed);
        double[] phase = [.. Enumerable.Range(0, 9).Select(_ => random.NextDouble() * 6)];
        var pixels = new byte[3 * width * height];
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                for (int c = 0; c < 3; c++)
                {
                    int k = gray ? 0 : c;
                    double u = x * 20.0 / width, v = y * 20.0 / height;
                    pixels[(y * width + x) * 3 + c] = (byte)(128 + 60 * Math.Sin(phase[k] * u / 4 + phase[k + 3]) + 60
                        * Math.Cos(phase[k + 6] * v / 4));
                }
        return new RgbImage(width, height, pixels);
    }

    /// <summary>Writes an image, PNG or JPEG by its extension, making its folder.</summary>
    public static void Write(string path, RgbImage image)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, SkiaImageCodec.Instance.Encode(image, path.EndsWith(".png", StringComparison.Ordinal)
            ? ImageFormat.Png : ImageFormat.Jpeg));
    }

    /// <summary>A split of images in memory; labels alternate.</summary>
    public static DataSplit Split(int count, int classes = 2, int width = 20, int height = 16, bool gray = false,
        int seed = 0) =>
        new("train", [.. Enumerable.Range(0, classes).Select(c => $"class {c}")],
        [.. Enumerable.Range(0, count).Select(i =>
            new Sample($"sample {i}", i % classes,
            [new GeneratedFrame($"picture {i}", () => Make(seed + i, width, height, gray))]))]);
}
