using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Diagnostics;

/// <content>Operations on images.</content>
public sealed partial class OperationTest
{
    // Bytes, read back as parts of 255: a result is off by half a step for each rounding on the way, or by one where it
    // is cut.
    private void Pixels()
    {
        const int Width = 24, Height = 20, Side = 16, Patch = 8, Count = 3 * Side * Side;
        var random = new Random(25);
        byte[] large = new byte[3 * Width * Height], small = new byte[Count];
        random.NextBytes(small);
        // Not so far apart that overshoot is cut to a byte between the two passes.
        for (int i = 0; i < large.Length; i++)
            large[i] = (byte)random.Next(64, 192);
        DeviceArray table = Owned(device.From(Normalize.Table([0, 0, 0], [1, 1, 1]))), patches = Empty(Count);
        ImageView source = new(Owned(device.From(large)), Width, Height, 3), square = new(Owned(device.From(small)),
            Side, Side, 3),
            target = new(Owned(device.From(small)), Side, Side, 3);
        double Small(int row, int column, int channel) => small[(row * Side + column) * 3 + channel] / 255.0;
        void Read(string name, ImageView picture, Func<int, int, int, double> expected, double steps)
        {
            var bytes = new byte[Count];
            device.Download(picture.Pixels, bytes);
            Compare(name, [.. bytes.Select(value => value / 255f)], (at, channel) => expected(at / Side, at % Side,
                channel), 3,
                steps / 255);
        }

        Resize.Forward<Bicubic>([new(source, new(0, 0, Width, Height), Side, Side, new(0, 0, Side, Side),
            false, target)]);
        // The first rounding counts by the weights' absolute values, which sum up to 1.3; the largest result is about
        // 2/3.
        Read("resize", target, (row, column, channel) => Sum(Height, i => Share(i, row, Height) * Sum(Width, j =>
            Share(j, column, Width) * large[(i * Width + j) * 3 + channel] / 255.0)), 1.2 * 3 / 2);

        AffineMap map = AffineMap.About(Side, Side, 0.2, 1.1, 1.5, -0.5, flip: true);
        AffineWarp.Forward([(square, map, target)]);
        Read("warp", target, (row, column, channel) =>
        {
            double x = Math.Clamp(map.A * column + map.B * row + map.C, 0, Side - 1),
                z = Math.Clamp(map.D * column + map.E * row + map.F, 0, Side - 1);
            int left = Math.Min((int)x, Side - 2), top = Math.Min((int)z, Side - 2);
            return (1 - z + top) * ((1 - x + left) * Small(top, left, channel) + (x - left) * Small(top,
                left + 1, channel))
                + (z - top) * ((1 - x + left) * Small(top + 1, left, channel) + (x - left) * Small(top + 1,
                left + 1, channel));
        }, 1.6);

        Normalize.Forward([(square, new(3, 2, 7, 5))], table, patches, Patch);
        Compare("normalize, erase", patches, (plane, at) =>
        {
            // Planes of three channels for each of 2 x 2 patches.
            int row = plane / 6 * Patch + at / Patch, column = plane / 3 % 2 * Patch + at % Patch;
            return column is >= 3 and < 10 && row is >= 2 and < 7 ? 0 : Small(row, column, plane % 3);
        }, Patch * Patch);

        const float Bright = 0.75f, Faded = 0.5f;
        ColorJitter.Forward([(square, new(ColorJitter.Change.Brightness, ColorJitter.Change.Saturation,
            ColorJitter.Change.Contrast,
            ColorJitter.Change.Hue, Bright, 1, Faded, 0))]);
        Read("color jitter", square, (row, column, channel) =>
        {
            double luma = 0.299 * Small(row, column, 0) + 0.587 * Small(row, column, 1) + 0.114 * Small(row, column, 2);
            return Bright * (luma + Faded * (Small(row, column, channel) - luma));
        }, 3);

        static double Share(int from, int to, int size)
        {
            double scale = (double)size / Side;
            return Weight(from) / Sum(size, Weight);
            double Weight(int at) => Bicubic.Weight((at + 0.5 - (to + 0.5) * scale) / scale);
        }
    }
}
