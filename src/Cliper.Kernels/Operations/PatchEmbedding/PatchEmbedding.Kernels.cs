using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class PatchEmbedding
{
    /// <summary>unfolded[patch] = the patch's pixels, [channels, patch, patch].</summary>
    /// <remarks>
    /// A thread has eight pixels of a patch's row, a block 256 threads; no shared memory. Any GPU from compute
    /// capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void UnfoldKernel<TDtype>(GlobalPtrFp32 images, GlobalPtr16<TDtype> unfolded, long rows,
        int channels, int height, int width, int patch, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the patch and the pixels.
        int pixels = channels * patch * patch, chunks = (pixels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int first = (int)(at - row * chunks) * Vec8.Size, across = width / patch, patches = height / patch * across;
        long image = row / patches;
        int inImage = (int)(row - image * patches), top = inImage / across * patch, left = inImage % across * patch;

        // (2) Copy them: with 16-byte accesses where all eight are neighbors in the image too.
        if (vectorized != 0)
        {
            unfolded.Store8(row * pixels + first, images.Load8(Place(image, first, channels, height, width, patch,
                top, left)));
            return;
        }
        for (int pixel = first; pixel < first + Vec8.Size && pixel < pixels; pixel++)
            unfolded.Store(row * pixels + pixel, images.Load(Place(image, pixel, channels, height, width, patch, top,
                left)));
    }

    private static long Place(long image, int pixel, int channels, int height, int width, int patch, int top, int left)
    {
        int channel = pixel / (patch * patch), y = pixel / patch % patch, x = pixel % patch;
        return ((image * channels + channel) * height + top + y) * width + left + x;
    }
}
