using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    // A thread has eight pixels of a picture's row: 24 bytes (8 of a gray one), and of each channel 16 bytes of a patch's row where all is
    // aligned. The table makes the values the host's to the bit.
    [DeviceCode]
    private static void NormalizeKernel<TDtype>(GlobalPtrInt32 rows, GlobalPtrFp32 table, GlobalPtr16<TDtype> patches, int height, int width, int patch,
        int vectorized) where TDtype : struct, IDtype16
    {
        ArrayView<float> values = SharedMemory.Allocate<float>(3 * 256);
        for (int i = Group.IdxX; i < 3 * 256; i += GpuThreads)
            values[i] = table.Load(i);
        Group.Barrier();

        int chunks = (width + Vec8.Size - 1) / Vec8.Size, at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / chunks,
            x = (at - y * chunks) * Vec8.Size;
        if (y >= height)
            return;
        var row = TensorTable.Row.At(rows, Grid.IdxY, Fields);
        var pixels = new GlobalPtrUInt8(row.Long(0) + ((long)y * width + x) * row.Int(1));
        bool isGray = row.Int(1) == 1;
        int left = row.Int(2) - x;
        uint erased = (uint)(y - row.Int(3)) < (uint)row.Int(5) ? (uint)row.Int(4) : 0;
        long image = 3L * Grid.IdxY * height * width;
        if (vectorized != 0)
        {
            Words words = default;
            words.First = Ptx.LoadLong(pixels.At(0));
            if (!isGray)
                (words.Second, words.Third) = (Ptx.LoadLong(pixels.At(8)), Ptx.LoadLong(pixels.At(16)));
            long to = image + InPatches(x, y, width, patch);
            int plane = patch * patch;
            patches.Store8(to, Vec8.Erase(isGray ? Eight(values, words, 0, 1) : Eight(values, words, 0, 3), left, erased));
            patches.Store8(to + plane, Vec8.Erase(isGray ? Eight(values, words, 1, 1) : Eight(values, words, 1, 3), left, erased));
            patches.Store8(to + 2 * plane, Vec8.Erase(isGray ? Eight(values, words, 2, 1) : Eight(values, words, 2, 3), left, erased));
            return;
        }
        for (int i = 0; i < Vec8.Size && x + i < width; i++)
            for (int channel = 0; channel < 3; channel++)
            {
                float value = values[256 * channel + pixels.Load(isGray ? i : 3 * i + channel)];
                patches.Store(image + InPatches(x + i, y, width, patch) + channel * patch * patch,
                    (uint)(i - left) < erased ? 0f : value);
            }
    }

    // Where a pixel's first channel lies among its picture's patches.
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

    // Values in one channel of eight pixels of 3 or 1 bytes each.
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
