using System.Formats.Tar;
using Cliper.Model.Images;

namespace Cliper.Model.Tests.Data.Faces;

/// <summary>The photographs of the London set: 204 people, neutral and happy, one face each.</summary>
internal static class LondonFaces
{
    /// <summary>The pictures; ends the test as ignored where they are not there.</summary>
    public static IEnumerable<(string Name, RgbImage Image)> All()
    {
        using var reader = new TarReader(File.OpenRead(SharedFiles.OrIgnore("data/london-neutral-happy.tar")));
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is not { } stream || !entry.Name.EndsWith(".jpg", StringComparison.Ordinal))
                continue;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            yield return (entry.Name, SkiaImageCodec.Instance.Decode(bytes, entry.Name));
        }
    }

    /// <summary>Every tenth picture.</summary>
    public static (string Name, RgbImage Image)[] Some() => [.. All().Where((_, index) => index % 10 == 0)];

    /// <summary>The picture turned clockwise about its center, bilinear, black outside.</summary>
    public static RgbImage Turned(RgbImage image, int degrees)
    {
        double sine = Math.Sin(degrees * Math.PI / 180), cosine = Math.Cos(degrees * Math.PI / 180);
        var pixels = new byte[image.Pixels.Length];
        for (int y = 0; y < image.Height; y++)
            for (int x = 0; x < image.Width; x++)
            {
                double dx = x + .5 - image.Width / 2.0, dy = y + .5 - image.Height / 2.0;
                double u = dx * cosine + dy * sine + image.Width / 2.0 - .5, v = dy * cosine - dx * sine
                    + image.Height / 2.0 - .5;
                int left = (int)Math.Floor(u), top = (int)Math.Floor(v);
                if (left < 0 || top < 0 || left + 1 >= image.Width || top + 1 >= image.Height)
                    continue;
                double right = u - left, down = v - top;
                for (int c = 0; c < 3; c++)
                {
                    double upper = At(left, top, c) * (1 - right) + At(left + 1, top, c) * right;
                    double lower = At(left, top + 1, c) * (1 - right) + At(left + 1, top + 1, c) * right;
                    pixels[3 * (y * image.Width + x) + c] = (byte)Math.Round(upper * (1 - down) + lower * down);
                }
            }
        return new RgbImage(image.Width, image.Height, pixels);

        byte At(int x, int y, int c) => image.Pixels[3 * (y * image.Width + x) + c];
    }
}
