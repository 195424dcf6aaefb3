using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. A thread has eight channels of a pixel, 16 bytes of a 16-bit format where the channels are a multiple
/// of eight; sums are fp32 in registers. Neighboring windows share their inputs through the caches, not through shared
/// memory.
/// </remarks>
public static partial class DepthwiseConvolution
{
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 weight, GlobalPtr16<TDtype> y,
        long pixels, int height, int width, int channels, int outputHeight, int outputWidth, int kernelRows,
        int kernelColumns, int strideDown, int strideAcross, int top, int left, int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Which output pixel, and which eight of its channels.
        int chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Vec8.Size, count = channels - channel;
        long image = pixel / (outputHeight * outputWidth);
        int inImage = (int)(pixel - image * (outputHeight * outputWidth));
        int firstRow = inImage / outputWidth * strideDown - top, firstColumn = inImage % outputWidth
            * strideAcross - left;
        // (2) The taps that lie on inputs, in their order.
        Vec8 sum = default;
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
                Vec8 tap = Vec8.Load(weight, (long)(k * kernelColumns + l) * channels + channel, count, vectorized);
                sum = MultiplyAdd(Vec8.Load(x, ((image * height + row) * width + column) * channels + channel, count,
                    vectorized), tap, sum);
            }
        }
        Vec8.Store(y, pixel * channels + channel, sum, count, vectorized);
    }

    [DeviceCode]
    private static void InputKernel<TDtype>(GlobalPtrFp32 weight, GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> dx,
        int accumulate, long pixels, int height, int width, int channels, int outputHeight, int outputWidth,
        int kernelRows, int kernelColumns, int strideDown, int strideAcross, int top, int left, int vectorized)
        where TDtype : struct, IDtype16
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
                Vec8 tap = Vec8.Load(weight, (long)(k * kernelColumns + l) * channels + channel, count, vectorized);
                long from = ((image * outputHeight + i) * outputWidth + j) * channels + channel;
                sum = MultiplyAdd(Vec8.Load(dy, from, count, vectorized), tap, sum);
            }
        }
        Vec8.Write(dx, pixel * channels + channel, sum, count, vectorized, accumulate);
    }

    // Block (x, y, z) sums 256 channels of tap z over slice y of the output pixels, a warp every eighth of them.
    [DeviceCode]
    private static void WeightKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> dy, GlobalPtrFp32 parts,
        int pixels, int each, int height, int width, int channels, int outputHeight, int outputWidth, int kernelRows,
        int kernelColumns, int strideDown, int strideAcross, int top, int left, int vectorized)
        where TDtype : struct, IDtype16
    {
        int channel = ColumnBlock.Column, count = channels - channel,
            end = IntrinsicMath.Min(pixels, (Grid.IdxY + 1) * each);
        int tap = Grid.IdxZ, k = tap / kernelColumns - top, l = tap % kernelColumns - left;
        // (1) Products of this thread's pixels.
        Vec8 sum = default;
        for (int pixel = Grid.IdxY * each + ColumnBlock.Row; pixel < end && count > 0; pixel += ColumnBlock.Rows)
        {
            int line = pixel / outputWidth, image = line / outputHeight;
            int row = (line - image * outputHeight) * strideDown + k, column = (pixel - line * outputWidth)
                * strideAcross + l;
            if (row < 0 || row >= height || column < 0 || column >= width)
                continue;
            Vec8 gradient = Vec8.Load(dy, (long)pixel * channels + channel, count, vectorized);
            long from = (((long)image * height + row) * width + column) * channels + channel;
            sum = MultiplyAdd(Vec8.Load(x, from, count, vectorized), gradient, sum);
        }
        // (2) The block's warps in their order, to parts[slice, tap]: StoreSum itself moves on by one row of channels a
        // slice.
        int taps = kernelRows * kernelColumns;
        ColumnBlock.StoreSum(sum, new GlobalPtrFp32(parts.At(((long)Grid.IdxY * (taps - 1) + tap) * channels)),
            channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 MultiplyAdd(Vec8 a, Vec8 b, Vec8 c) => new()
    {
        A = Ptx.Fma(a.A, b.A, c.A),
        B = Ptx.Fma(a.B, b.B, c.B),
        C = Ptx.Fma(a.C, b.C, c.C),
        D = Ptx.Fma(a.D, b.D, c.D),
        E = Ptx.Fma(a.E, b.E, c.E),
        F = Ptx.Fma(a.F, b.F, c.F),
        G = Ptx.Fma(a.G, b.G, c.G),
        H = Ptx.Fma(a.H, b.H, c.H),
    };
}
