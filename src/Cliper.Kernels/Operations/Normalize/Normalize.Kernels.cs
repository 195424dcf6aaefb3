using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    /// <summary>Reads a <see cref="ImageRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct ImageRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 6;

        private readonly TensorTable.Row _row;

        public ImageRowView(TensorTable.Row row) => _row = row;

        public long Pixels => _row.Long(0);

        public int Channels => _row.Int(1);

        public int Left => _row.Int(2);

        public int Top => _row.Int(3);

        public int Width => _row.Int(4);

        public int Height => _row.Int(5);
    }

    /// <summary>
    /// Writes the normalized pixels of images as rows of patches, and zeros in the erased rectangles.
    /// </summary>
    /// <remarks>
    /// A thread has eight pixels of an image's row: it reads 24 bytes (8 of a gray image) and, where all is aligned,
    /// writes 16 bytes of a patch's row in each channel. A block has 256 threads; y of the grid is the image. Shared
    /// memory: the table of 3 x 256 values, which makes them the CPU's to the bit. Any GPU from compute capability 7.0
    /// on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void NormalizeKernel<TDtype>(GlobalPtrInt32 rows, GlobalPtrFp32 table, GlobalPtr16<TDtype> patches,
        int height, int width, int patch, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Copy the table to shared memory.
        ArrayView<float> values = SharedMemory.Allocate<float>(3 * 256);
        for (int i = Group.IdxX; i < 3 * 256; i += GpuThreads)
            values[i] = table.Load(i);
        Group.Barrier();

        // (2) Find the image and the eight pixels.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size, at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / chunks,
            x = (at - y * chunks) * Vec8.Size;
        if (y >= height)
            return;
        var row = new ImageRowView(TensorTable.Row.At(rows, Grid.IdxY, ImageRowView.Units));
        var pixels = new GlobalPtrUInt8(row.Pixels + ((long)y * width + x) * row.Channels);
        bool isGray = row.Channels == 1;
        int left = row.Left - x;
        uint erased = (uint)(y - row.Top) < (uint)row.Height ? (uint)row.Width : 0;
        long image = 3L * Grid.IdxY * height * width;

        // (3) Where all is aligned, load the bytes in words of eight and store eight values a channel.
        if (vectorized != 0)
        {
            var words = new Words { First = Ptx.LoadLong(pixels.At(0)) };
            if (!isGray)
            {
                words.Second = Ptx.LoadLong(pixels.At(8));
                words.Third = Ptx.LoadLong(pixels.At(16));
            }
            long to = image + InPatches(x, y, width, patch);
            int plane = patch * patch;
            patches.Store8(to, Vec8.Erase(isGray ? Eight(values, words, 0, 1) : Eight(values, words, 0, 3), left,
                erased));
            patches.Store8(to + plane, Vec8.Erase(isGray ? Eight(values, words, 1, 1) : Eight(values, words, 1, 3),
                left, erased));
            patches.Store8(to + 2 * plane, Vec8.Erase(isGray ? Eight(values, words, 2, 1) : Eight(values, words, 2,
                3), left, erased));
            return;
        }

        // (4) Elsewhere, load and store one by one.
        for (int i = 0; i < Vec8.Size && x + i < width; i++)
            for (int channel = 0; channel < 3; channel++)
            {
                float value = values[256 * channel + pixels.Load(isGray ? i : 3 * i + channel)];
                patches.Store(image + InPatches(x + i, y, width, patch) + channel * patch * patch,
                    (uint)(i - left) < erased ? 0f : value);
            }
    }

    // Index of a pixel's first channel among its image's patches.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int InPatches(int x, int y, int width, int patch)
    {
        int down = y / patch, right = x / patch;
        return ((down * (width / patch) + right) * 3 * patch + y - down * patch) * patch + x - right * patch;
    }

    /// <summary>24 bytes, the first one lowest.</summary>
    private struct Words
    {
        public long First, Second, Third;
    }

    // The values of eight pixels, of 3 or 1 bytes each, in one channel.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Eight(ArrayView<float> values, Words words, int channel, int step) => new()
    {
        A = Value(values, words, channel, 0, step),
        B = Value(values, words, channel, 1, step),
        C = Value(values, words, channel, 2, step),
        D = Value(values, words, channel, 3, step),
        E = Value(values, words, channel, 4, step),
        F = Value(values, words, channel, 5, step),
        G = Value(values, words, channel, 6, step),
        H = Value(values, words, channel, 7, step),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Value(ArrayView<float> values, Words words, int channel, int pixel, int step)
    {
        int at = step == 1 ? pixel : 3 * pixel + channel;
        long word = at < 8 ? words.First : at < 16 ? words.Second : words.Third;
        return values[256 * channel + ((int)(word >> 8 * (at & 7)) & 255)];
    }
}
