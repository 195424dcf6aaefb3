using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// A part of a picture reduced to fit a square, its proportions kept, in the middle of zeros: (x, y) of the square is
/// (x * Scale + Right, y * Scale + Down) of the picture.
/// </summary>
/// <param name="Scale">Pixels of the picture for one of the square.</param>
/// <param name="Right">Where the square's left edge is in the picture.</param>
/// <param name="Down">Where its upper edge is.</param>
internal readonly record struct Letterbox(float Scale, float Right, float Down)
{
    /// <summary>The network's input for each value of a byte: 256 quotients instead of one a pixel.</summary>
    private static readonly float[] Levels = [.. Enumerable.Range(0, 256).Select(value => value / 127.5f - 1)];

    /// <summary>Fills a network's input with a part of a picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="part">The part of it, within the picture.</param>
    /// <param name="side">Rows and columns of the square.</param>
    /// <param name="target">[side, side, 3]: from -1 (black) to 1 (white), 0 where there is no picture.</param>
    public static Letterbox Fill(RgbImage image, PixelBox part, int side, Span<float> target)
    {
        const int Channels = 3;
        double scale = Math.Max(part.Width, part.Height) / (double)side;
        int width = Math.Clamp((int)Math.Round(part.Width / scale), 1, side),
            height = Math.Clamp((int)Math.Round(part.Height / scale), 1, side);
        int left = (side - width) / 2, top = (side - height) / 2;
        var reduced = new byte[Channels * width * height];
        Resize.Forward<Bilinear>(image.Pixels, image.Width, image.Height, Channels,
            new(part, width, height, new(0, 0, width, height)), reduced);
        target.Clear();
        for (int y = 0; y < height; y++)
        {
            Span<float> row = target.Slice(Channels * ((top + y) * side + left), Channels * width);
            ReadOnlySpan<byte> source = reduced.AsSpan(Channels * y * width, Channels * width);
            for (int i = 0; i < row.Length; i++)
                row[i] = Levels[source[i]];
        }
        return new Letterbox((float)scale, (float)(part.X - left * scale), (float)(part.Y - top * scale));
    }
}
