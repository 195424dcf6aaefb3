using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. Both kernels move memory: a thread has eight neighboring elements, 16 bytes of a 16-bit format where
/// the channels are a multiple of eight, and neighboring threads have neighbors. No shared memory.
/// </remarks>
public static partial class Convolution
{
    // unfolded[row] = the elements under the window of output pixel `row`, zeros in the padding.
    [DeviceCode]
    private static void UnfoldKernel<TX, TDtype>(TX x, GlobalPtr16<TDtype> unfolded, long rows, int height, int width,
        int channels, int outputHeight, int outputWidth, int kernelRows, int kernelColumns, int strideDown,
        int strideAcross, int top, int left, int vectorized)
        where TX : struct, IGlobalPtr where TDtype : struct, IDtype16
    {
        // (1) Which output pixel, and which eight elements of its window.
        int elements = kernelRows * kernelColumns * channels, chunks = (elements + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int first = (int)(at - row * chunks) * Vec8.Size;
        long image = row / (outputHeight * outputWidth);
        int pixel = (int)(row - image * (outputHeight * outputWidth));
        int firstRow = pixel / outputWidth * strideDown - top, firstColumn = pixel % outputWidth * strideAcross - left;
        // (2) Eight channels of one input pixel lie side by side.
        if (vectorized != 0)
        {
            int tap = first / channels, y = firstRow + tap / kernelColumns, z = firstColumn + tap % kernelColumns;
            Vec8 value = default;
            if (y >= 0 && y < height && z >= 0 && z < width)
                value = x.Load8(((image * height + y) * width + z) * channels + first - tap * channels);
            unfolded.Store8(row * elements + first, value);
            return;
        }
        // (3) Else the elements may belong to several pixels.
        for (int element = first; element < first + Vec8.Size && element < elements; element++)
        {
            int tap = element / channels, y = firstRow + tap / kernelColumns, z = firstColumn + tap % kernelColumns;
            float value = 0;
            if (y >= 0 && y < height && z >= 0 && z < width)
                value = x.Load(((image * height + y) * width + z) * channels + element - tap * channels);
            unfolded.Store(row * elements + element, value);
        }
    }

    // dx[pixel] = the sum of what the windows that see the pixel hold, in the order of their taps.
    [DeviceCode]
    private static void FoldKernel<TDtype, TX>(GlobalPtr16<TDtype> unfolded, TX dx, int accumulate, long pixels,
        int height, int width, int channels, int outputHeight, int outputWidth, int kernelRows, int kernelColumns,
        int strideDown, int strideAcross, int top, int left, int vectorized)
        where TDtype : struct, IDtype16 where TX : struct, IGlobalPtr
    {
        // (1) Which input pixel, and which eight of its channels.
        int chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Vec8.Size, count = channels - channel;
        long image = pixel / (height * width);
        int inImage = (int)(pixel - image * (height * width)), row = inImage / width + top,
            column = inImage % width + left;
        // (2) Of each tap the one window that sees the pixel through it, if there is one.
        Vec8 sum = default;
        for (int k = 0; k < kernelRows; k++)
        {
            int i = WindowWalk.OutputThrough(row, k, strideDown, outputHeight);
            if (i < 0)
                continue;
            for (int l = 0; l < kernelColumns; l++)
            {
                int j = WindowWalk.OutputThrough(column, l, strideAcross, outputWidth);
                if (j < 0)
                    continue;
                long from = (((image * outputHeight + i) * outputWidth + j) * kernelRows + k) * kernelColumns + l;
                sum = Vec8.Add(sum, Vec8.Load(unfolded, from * channels + channel, count, vectorized));
            }
        }
        Vec8.Write(dx, pixel * channels + channel, sum, count, vectorized, accumulate);
    }
}
