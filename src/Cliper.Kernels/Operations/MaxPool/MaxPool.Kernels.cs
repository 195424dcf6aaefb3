using System.Runtime.CompilerServices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. A thread has eight channels of one window of four pixels, 16 bytes of a 16-bit format where the channels are a
/// multiple of eight. No shared memory.
/// </remarks>
public static partial class MaxPool
{
    private static void ForwardKernel<TFormat>(Halves<TFormat> x, Halves<TFormat> y, long pixels, int height, int width, int channels,
        int wide) where TFormat : struct, IFormat
    {
        int outputHeight = height / Size, outputWidth = width / Size, chunks = (channels + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Chunk.Size, count = channels - channel;
        long line = pixel / outputWidth, image = line / outputHeight, row = image * height + (line - image * outputHeight) * Size;
        long first = (row * width + (pixel - line * outputWidth) * Size) * channels + channel, below = first + (long)width * channels;
        F8 largest = Larger(Chunk.Load(x, first, count, wide), Chunk.Load(x, first + channels, count, wide));
        largest = Larger(largest, Chunk.Load(x, below, count, wide));
        largest = Larger(largest, Chunk.Load(x, below + channels, count, wide));
        Chunk.Store(y, pixel * channels + channel, largest, count, wide);
    }

    private static void BackwardKernel<TFormat>(Halves<TFormat> x, Halves<TFormat> y, Halves<TFormat> dy, Halves<TFormat> dx,
        int accumulate, long windows, int height, int width, int channels, int wide) where TFormat : struct, IFormat
    {
        // (1) Which window, and which eight of its channels.
        int across = (width + Size - 1) / Size, down = (height + Size - 1) / Size;
        int chunks = (channels + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, window = at / chunks;
        if (window >= windows)
            return;
        int channel = (int)(at - window * chunks) * Chunk.Size, count = channels - channel;
        long line = window / across, image = line / down;
        int i = (int)(line - image * down), j = (int)(window - line * across);
        long first = ((image * height + i * Size) * width + j * Size) * channels + channel, below = first + (long)width * channels;
        // (2) Its gradient; a window without an output has none.
        bool rows = i * Size + 1 < height, columns = j * Size + 1 < width;
        F8 largest = default, gradient = default;
        if (rows && columns)
        {
            long from = ((image * (height / Size) + i) * (width / Size) + j) * channels + channel;
            largest = Chunk.Load(y, from, count, wide);
            gradient = Chunk.Load(dy, from, count, wide);
        }
        // (3) The first of the four that is the largest takes it.
        gradient = Give(x, dx, first, largest, gradient, count, wide, accumulate);
        if (columns)
            gradient = Give(x, dx, first + channels, largest, gradient, count, wide, accumulate);
        if (rows)
            gradient = Give(x, dx, below, largest, gradient, count, wide, accumulate);
        if (rows && columns)
            Give(x, dx, below + channels, largest, gradient, count, wide, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Give<TFormat>(Halves<TFormat> x, Halves<TFormat> dx, long at, F8 largest, F8 gradient, int count, int wide,
        int accumulate) where TFormat : struct, IFormat
    {
        F8 own = Chunk.Load(x, at, count, wide);
        Chunk.Write(dx, at, Choose(own, largest, default, gradient), count, wide, accumulate);
        return Choose(own, largest, gradient, default);
    }

    // a < b ? yes : no of each; a comparison with NaN is false.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Choose(F8 a, F8 b, F8 yes, F8 no) => new()
    {
        A = a.A < b.A ? yes.A : no.A,
        B = a.B < b.B ? yes.B : no.B,
        C = a.C < b.C ? yes.C : no.C,
        D = a.D < b.D ? yes.D : no.D,
        E = a.E < b.E ? yes.E : no.E,
        F = a.F < b.F ? yes.F : no.F,
        G = a.G < b.G ? yes.G : no.G,
        H = a.H < b.H ? yes.H : no.H,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static F8 Larger(F8 a, F8 b) => new()
    {
        A = Larger(a.A, b.A),
        B = Larger(a.B, b.B),
        C = Larger(a.C, b.C),
        D = Larger(a.D, b.D),
        E = Larger(a.E, b.E),
        F = Larger(a.F, b.F),
        G = Larger(a.G, b.G),
        H = Larger(a.H, b.H),
    };

    // The maximum of a GPU drops a NaN. Where neither comparison is true one of the two is NaN, and so is their sum.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Larger(float a, float b) => a >= b ? a : a < b ? b : a + b;
}
