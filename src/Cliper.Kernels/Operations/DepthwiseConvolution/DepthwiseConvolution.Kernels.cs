using System.Runtime.CompilerServices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. A thread has eight channels of a pixel, 16 bytes of a 16-bit format where the channels are a multiple of
/// eight; sums are fp32 in registers. Neighboring windows share their inputs through the caches, not through shared memory.
/// </remarks>
public static partial class DepthwiseConvolution
{
    private static void ForwardKernel<TFormat>(Halves<TFormat> x, Floats weight, Halves<TFormat> y, long pixels, int height, int width,
        int channels, int outputHeight, int outputWidth, int kernelRows, int kernelColumns, int strideDown, int strideAcross, int top,
        int left, int wide) where TFormat : struct, IFormat
    {
        // (1) Which output pixel, and which eight of its channels.
        int chunks = (channels + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Chunk.Size, count = channels - channel;
        long image = pixel / (outputHeight * outputWidth);
        int inImage = (int)(pixel - image * (outputHeight * outputWidth));
        int firstRow = inImage / outputWidth * strideDown - top, firstColumn = inImage % outputWidth * strideAcross - left;
        // (2) The taps that lie on inputs, in their order.
        F8 sum = default;
        for (int k = 0; k < kernelRows; k++)
        {
            int row = firstRow + k;
            if (row < 0 || row >= height)
                continue;
            for (int l = 0; l < kernelColumns; l++)
            {
                int column = firstColumn + l;
                if (column < 0 || column >= width)
                    continue;
                F8 tap = Chunk.Load(weight, (long)(k * kernelColumns + l) * channels + channel, count, wide);
                sum = MultiplyAdd(Chunk.Load(x, ((image * height + row) * width + column) * channels + channel, count, wide), tap, sum);
            }
        }
        Chunk.Store(y, pixel * channels + channel, sum, count, wide);
    }

    private static void InputKernel<TFormat>(Floats weight, Halves<TFormat> dy, Halves<TFormat> dx, int accumulate, long pixels,
        int height, int width, int channels, int outputHeight, int outputWidth, int kernelRows, int kernelColumns, int strideDown,
        int strideAcross, int top, int left, int wide) where TFormat : struct, IFormat
    {
        // (1) Which input pixel, and which eight of its channels.
        int chunks = (channels + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Chunk.Size, count = channels - channel;
        long image = pixel / (height * width);
        int inImage = (int)(pixel - image * (height * width)), row = inImage / width + top, column = inImage % width + left;
        // (2) Of each tap the one window that sees the pixel through it, if there is one.
        F8 sum = default;
        for (int k = 0; k < kernelRows; k++)
        {
            int i = (row - k) / strideDown;
            if (row < k || i * strideDown != row - k || i >= outputHeight)
                continue;
            for (int l = 0; l < kernelColumns; l++)
            {
                int j = (column - l) / strideAcross;
                if (column < l || j * strideAcross != column - l || j >= outputWidth)
                    continue;
                F8 tap = Chunk.Load(weight, (long)(k * kernelColumns + l) * channels + channel, count, wide);
                long from = ((image * outputHeight + i) * outputWidth + j) * channels + channel;
                sum = MultiplyAdd(Chunk.Load(dy, from, count, wide), tap, sum);
            }
        }
        Chunk.Write(dx, pixel * channels + channel, sum, count, wide, accumulate);
    }

    // Block (x, y, z) sums 256 channels of tap z over slice y of the output pixels, a warp every eighth of them.
    private static void WeightKernel<TFormat>(Halves<TFormat> x, Halves<TFormat> dy, Floats parts, int pixels, int each, int height,
        int width, int channels, int outputHeight, int outputWidth, int kernelRows, int kernelColumns, int strideDown, int strideAcross,
        int top, int left, int wide) where TFormat : struct, IFormat
    {
        int channel = ColumnBlock.Column, count = channels - channel, end = IntrinsicMath.Min(pixels, (Grid.IdxY + 1) * each);
        int tap = Grid.IdxZ, k = tap / kernelColumns - top, l = tap % kernelColumns - left;
        // (1) Products of this thread's pixels.
        F8 sum = default;
        for (int pixel = Grid.IdxY * each + ColumnBlock.Row; pixel < end && count > 0; pixel += ColumnBlock.Rows)
        {
            int line = pixel / outputWidth, image = line / outputHeight;
            int row = (line - image * outputHeight) * strideDown + k, column = (pixel - line * outputWidth) * strideAcross + l;
            if (row < 0 || row >= height || column < 0 || column >= width)
                continue;
            F8 gradient = Chunk.Load(dy, (long)pixel * channels + channel, count, wide);
            long from = (((long)image * height + row) * width + column) * channels + channel;
            sum = MultiplyAdd(Chunk.Load(x, from, count, wide), gradient, sum);
        }
        // (2) The block's warps in their order, to parts[slice, tap]: StoreSum itself moves on by one row of channels a slice.
        int taps = kernelRows * kernelColumns;
        ColumnBlock.StoreSum(sum, new Floats(parts.At(((long)Grid.IdxY * (taps - 1) + tap) * channels)), channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 MultiplyAdd(F8 a, F8 b, F8 c) => new()
    {
        A = Gpu.Fma(a.A, b.A, c.A),
        B = Gpu.Fma(a.B, b.B, c.B),
        C = Gpu.Fma(a.C, b.C, c.C),
        D = Gpu.Fma(a.D, b.D, c.D),
        E = Gpu.Fma(a.E, b.E, c.E),
        F = Gpu.Fma(a.F, b.F, c.F),
        G = Gpu.Fma(a.G, b.G, c.G),
        H = Gpu.Fma(a.H, b.H, c.H),
    };
}
