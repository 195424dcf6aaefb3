using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AddMeanToken
{
    /// <summary>y[n, 0] = mean of x[n, p] + positions[0], y[n, p + 1] = x[n, p] + positions[p + 1].</summary>
    /// <remarks>
    /// A thread has eight columns of a sample, a block 128 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 positions, GlobalPtr16<TDtype> y,
        long samples, int pixels, int width, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the sample and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, sample = at / chunks;
        if (sample >= samples)
            return;
        int column = (int)(at - sample * chunks) * Vec8.Size, count = width - column;
        long from = sample * pixels * width + column, to = sample * (pixels + 1) * width + column;

        // (2) Store the pixels with their positions, and sum them.
        Vec8 sum = default;
        for (int pixel = 0; pixel < pixels; pixel++)
        {
            long step = (long)pixel * width;
            Vec8 value = Vec8.Load(x, from + step, count, vectorized);
            sum = Vec8.Add(sum, value);
            Vec8 position = Vec8.Load(positions, step + width + column, count, vectorized);
            Vec8.Store(y, to + step + width, Vec8.Add(value, position), count, vectorized);
        }

        // (3) Store the mean with its position.
        Vec8 first = Vec8.Load(positions, column, count, vectorized);
        Vec8.Store(y, to, Vec8.Scale(sum, 1f / pixels, first), count, vectorized);
    }

    /// <summary>dx[n, p] (+)= dy[n, p + 1] + dy[n, 0] / pixels.</summary>
    /// <remarks>
    /// A thread has eight columns of a pixel, a block 128 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel<TDtype>(GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> dx, int accumulate,
        long rows, int pixels, int width, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the pixel and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * GpuThreads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / pixels, mean = sample * (pixels + 1) * width + column;

        // (2) Add its share of the mean's gradient to its own.
        Vec8 own = Vec8.Load(dy, (row + sample + 1) * width + column, count, vectorized),
            value = Vec8.Scale(Vec8.Load(dy, mean, count, vectorized), 1f / pixels, own);
        Vec8.Write(dx, row * width + column, value, count, vectorized, accumulate);
    }
}
