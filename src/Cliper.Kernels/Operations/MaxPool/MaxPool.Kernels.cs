using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. A thread has eight channels of one window of four pixels, 16 bytes of a 16-bit format where the
/// channels are a multiple of eight. No shared memory.
/// </remarks>
public static partial class MaxPool
{
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> y, long pixels, int height,
        int width, int channels,
        int vectorized) where TDtype : struct, IDtype16
    {
        int outputHeight = height / Size, outputWidth = width / Size, chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, pixel = at / chunks;
        if (pixel >= pixels)
            return;
        int channel = (int)(at - pixel * chunks) * Vec8.Size, count = channels - channel;
        long line = pixel / outputWidth, image = line / outputHeight,
            row = image * height + (line - image * outputHeight) * Size;
        long first = (row * width + (pixel - line * outputWidth) * Size) * channels + channel,
            below = first + (long)width * channels;
        Vec8 largest = Larger(Vec8.Load(x, first, count, vectorized), Vec8.Load(x, first + channels, count,
            vectorized));
        largest = Larger(largest, Vec8.Load(x, below, count, vectorized));
        largest = Larger(largest, Vec8.Load(x, below + channels, count, vectorized));
        Vec8.Store(y, pixel * channels + channel, largest, count, vectorized);
    }

    [DeviceCode]
    private static void BackwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> y, GlobalPtr16<TDtype> dy,
        GlobalPtr16<TDtype> dx,
        int accumulate, long windows, int height, int width, int channels, int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Which window, and which eight of its channels.
        int across = (width + Size - 1) / Size, down = (height + Size - 1) / Size;
        int chunks = (channels + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, window = at / chunks;
        if (window >= windows)
            return;
        int channel = (int)(at - window * chunks) * Vec8.Size, count = channels - channel;
        long line = window / across, image = line / down;
        int i = (int)(line - image * down), j = (int)(window - line * across);
        long first = ((image * height + i * Size) * width + j * Size) * channels + channel,
            below = first + (long)width * channels;
        // (2) Its gradient; a window without an output has none.
        bool rows = i * Size + 1 < height, columns = j * Size + 1 < width;
        Vec8 largest = default, gradient = default;
        if (rows && columns)
        {
            long from = ((image * (height / Size) + i) * (width / Size) + j) * channels + channel;
            largest = Vec8.Load(y, from, count, vectorized);
            gradient = Vec8.Load(dy, from, count, vectorized);
        }
        // (3) The first of the four that is the largest takes it.
        gradient = Give(x, dx, first, largest, gradient, count, vectorized, accumulate);
        if (columns)
            gradient = Give(x, dx, first + channels, largest, gradient, count, vectorized, accumulate);
        if (rows)
            gradient = Give(x, dx, below, largest, gradient, count, vectorized, accumulate);
        if (rows && columns)
            Give(x, dx, below + channels, largest, gradient, count, vectorized, accumulate);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Give<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> dx, long at, Vec8 largest,
        Vec8 gradient, int count, int vectorized,
        int accumulate) where TDtype : struct, IDtype16
    {
        Vec8 own = Vec8.Load(x, at, count, vectorized);
        Vec8.Write(dx, at, Choose(own, largest, default, gradient), count, vectorized, accumulate);
        return Choose(own, largest, gradient, default);
    }

    // a < b ? yes : no of each; a comparison with NaN is false.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Choose(Vec8 a, Vec8 b, Vec8 yes, Vec8 no) => new()
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
    private static Vec8 Larger(Vec8 a, Vec8 b) => new()
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
