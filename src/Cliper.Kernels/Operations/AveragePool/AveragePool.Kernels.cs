using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. A thread has eight channels of one pixel, 16 bytes of a 16-bit format where the channels are a multiple
/// of eight. No shared memory. Any GPU from compute capability 7.0 on, bf16 from 8.0 on.
/// </remarks>
public static partial class AveragePool
{
    /// <summary>y[pixel] = the mean of the pixels of x under its window.</summary>
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> y, long pixels, int height,
        int width, int channels, int size, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the window, and which eight of its channels.
        int outputHeight = height / size, outputWidth = width / size, chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Vec8.Size, count = channels - channel;
        long line = pixel / outputWidth, image = line / outputHeight,
            row = image * height + (line - image * outputHeight) * size;
        long first = (row * width + (pixel - line * outputWidth) * size) * channels + channel;

        // (2) Sum its rows, and scale.
        Vec8 sum = default;
        for (int k = 0; k < size; k++)
            for (int l = 0; l < size; l++)
                sum = Vec8.Add(sum, Vec8.Load(x, first + ((long)k * width + l) * channels, count, vectorized));
        Vec8.Store(y, pixel * channels + channel, Vec8.Scale(sum, 1f / (size * size)), count, vectorized);
    }

    /// <summary>dx[pixel] (+)= dy / size² of the window that sees it, or zero.</summary>
    [DeviceCode]
    private static void BackwardKernel<TDtype>(GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> dx, int accumulate,
        long pixels, int height, int width, int channels, int size, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the pixel, and which eight of its channels.
        int outputHeight = height / size, outputWidth = width / size, chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Vec8.Size, count = channels - channel;
        long line = pixel / width, image = line / height;
        int i = (int)(line - image * height) / size, j = (int)(pixel - line * width) / size;

        // (2) Take its share of the window's gradient.
        Vec8 gradient = default;
        if (i < outputHeight && j < outputWidth)
        {
            long from = ((image * outputHeight + i) * outputWidth + j) * channels + channel;
            gradient = Vec8.Scale(Vec8.Load(dy, from, count, vectorized), 1f / (size * size));
        }
        Vec8.Write(dx, pixel * channels + channel, gradient, count, vectorized, accumulate);
    }
}
