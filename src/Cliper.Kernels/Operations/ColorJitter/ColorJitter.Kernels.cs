using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class ColorJitter
{
    private struct Settings
    {
        public float Brightness, Contrast, Saturation;
        public int Order, Turn, Mean;
    }

    private struct Pixel
    {
        public int R, G, B;
    }

    // A block has a picture, as the contrast needs the mean luma of all of it, with the changes that come before. A gray one is three
    // equal channels, which all four changes keep equal.
    [DeviceCode]
    private static void JitterKernel(GlobalPtrInt32 table)
    {
        ArrayView<int> sums = SharedMemory.Allocate<int>(GpuThreads / 32);
        var row = TensorTable.Row.At(table, Grid.IdxX, Fields);
        var pixels = new GlobalPtrUInt8(row.Long(0));
        int count = row.Int(1), channels = row.Int(2);
        Settings settings;
        (settings.Order, settings.Turn, settings.Mean) = (row.Int(3), row.Int(4), 0);
        (settings.Brightness, settings.Contrast, settings.Saturation) = (row.Low(5), row.High(5), row.Low(6));
        int before = 0;
        while ((settings.Order >> 2 * before & 3) != (int)Change.Contrast)
            before++;

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
