using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class ColorJitter
{
    /// <summary>Reads a <see cref="ImageRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct ImageRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 7;

        private readonly TensorTable.Row _row;

        public ImageRowView(TensorTable.Row row) => _row = row;

        public long Pixels => _row.Long(0);

        public int Count => _row.Int(1);

        public int Channels => _row.Int(2);

        public int Order => _row.Int(3);

        public int Turn => _row.Int(4);

        public float Brightness => _row.Low(5);

        public float Contrast => _row.High(5);

        public float Saturation => _row.Low(6);
    }

    private struct Settings
    {
        public float Brightness, Contrast, Saturation;
        public int Order, Turn, Mean;
    }

    private struct Pixel
    {
        public int R, G, B;
    }

    /// <summary>Applies an image's four changes in their order, in place.</summary>
    /// <remarks>
    /// A block of 256 threads has one image, because contrast needs the mean luma of all of it after the changes before
    /// contrast. A gray image is three equal channels, which all four changes keep equal. Shared memory: one int a
    /// warp. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void JitterKernel(GlobalPtrInt32 table)
    {
        ArrayView<int> sums = SharedMemory.Allocate<int>(GpuThreads / 32);
        var row = new ImageRowView(TensorTable.Row.At(table, Grid.IdxX, ImageRowView.Units));
        var pixels = new GlobalPtrUInt8(row.Pixels);
        int count = row.Count, channels = row.Channels;

        // (1) Count the changes that come before contrast.
        var settings = new Settings
        {
            Order = row.Order,
            Turn = row.Turn,
            Brightness = row.Brightness,
            Contrast = row.Contrast,
            Saturation = row.Saturation,
        };
        int before = 0;
        while ((settings.Order >> 2 * before & 3) != (int)Change.Contrast)
            before++;

        // (2) Sum the luma over the image after these changes, where the contrast changes at all.
        int sum = 0;
        for (int at = settings.Contrast != 1 ? Group.IdxX : count; at < count; at += GpuThreads)
        {
            Pixel pixel = Changed(Load(pixels, at, channels), settings, 0, before);
            sum += Luma(pixel.R, pixel.G, pixel.B);
        }
        sum = Ptx.WarpSum(sum);
        if ((Group.IdxX & 31) == 0)
            sums[Group.IdxX >> 5] = sum;
        Group.Barrier();
        sum = 0;
        for (int warp = 0; warp < GpuThreads / 32; warp++)
            sum += sums[warp];
        settings.Mean = Mean(sum, count);

        // (3) Apply all four changes.
        for (int at = Group.IdxX; at < count; at += GpuThreads)
        {
            Pixel pixel = Changed(Load(pixels, at, channels), settings, 0, 4);
            if (channels == 1)
            {
                pixels.Store(at, pixel.R);
                continue;
            }
            pixels.Store(3L * at, pixel.R);
            pixels.Store(3L * at + 1, pixel.G);
            pixels.Store(3L * at + 2, pixel.B);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pixel Load(GlobalPtrUInt8 pixels, int at, int channels)
    {
        Pixel pixel;
        pixel.R = pixels.Load((long)at * channels);
        (pixel.G, pixel.B) = (pixel.R, pixel.R);
        if (channels != 1)
            (pixel.G, pixel.B) = (pixels.Load(3L * at + 1), pixels.Load(3L * at + 2));
        return pixel;
    }

    // The changes [step, end) of the order.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Pixel Changed(Pixel pixel, Settings settings, int step, int end)
    {
        for (; step < end; step++)
        {
            int change = settings.Order >> 2 * step & 3;
            if (change != (int)Change.Hue)
            {
                float factor = change == (int)Change.Brightness ? settings.Brightness
                    : change == (int)Change.Contrast ? settings.Contrast : settings.Saturation;
                int degenerate = change == (int)Change.Brightness ? 0
                    : change == (int)Change.Contrast ? settings.Mean : Luma(pixel.R, pixel.G, pixel.B);
                pixel.R = Blended(degenerate, pixel.R, factor);
                pixel.G = Blended(degenerate, pixel.G, factor);
                pixel.B = Blended(degenerate, pixel.B, factor);
            }
            else if (settings.Turn != NoTurn && (pixel.R != pixel.G || pixel.R != pixel.B))
            {
                int turned = Turned(pixel.R, pixel.G, pixel.B, settings.Turn);
                (pixel.R, pixel.G, pixel.B) = (turned & 255, turned >> 8 & 255, turned >> 16);
            }
        }
        return pixel;
    }

    // Rounded twice, as the host does.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Blended(int degenerate, int value, float factor) =>
        Math.Min(Math.Max((int)Ptx.Add(degenerate, Ptx.Multiply(factor, value - degenerate)), 0), 255);
}
