using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <remarks>
/// Device code. Rows are those of <see cref="Layout"/>: `width` columns, of which column i has channel i % channels. In
/// all kernels but those of a thread a channel, block (x, y) has 256 columns of slice y: 8 warps, each every eighth
/// row, eight columns a lane. Any GPU from compute capability 7.0 on, bf16 from 8.0 on.
/// </remarks>
public static partial class BatchNorm
{
    /// <summary>
    /// sumParts[slice] = sum of x - shift, squareParts[slice] = sum of its square, over the slice's rows; the shift is
    /// the first row's channel, which lies near the mean.
    /// </summary>
    /// <remarks>Shared memory: 32 bytes a thread, used twice.</remarks>
    [DeviceCode]
    private static void StatisticsKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 sumParts,
        GlobalPtrFp32 squareParts, int rows, int width, int channels, int each, int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Sum this thread's rows of its columns.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        Vec8 sum = default, square = default, shift = default;
        if (count > 0)
            shift = Vec8.Scale(Vec8.Load(x, column % channels, count, vectorized), -1f);
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
        {
            Vec8 value = Vec8.Add(Vec8.Load(x, (long)row * width + column, count, vectorized), shift);
            sum = Vec8.Add(sum, value);
            square = Vec8.Add(square, Vec8.Multiply(value, value));
        }

        // (2) Sum over the block's warps.
        ColumnBlock.StoreSum(sum, sumParts, width);
        Group.Barrier();
        ColumnBlock.StoreSum(square, squareParts, width);
    }

    /// <summary>Mean and variance of a channel from the parts of its sums; `share` is one over the rows.</summary>
    /// <remarks>A thread has a channel, a block 128; no shared memory.</remarks>
    [DeviceCode]
    private static void StatisticsEndKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 sumParts,
        GlobalPtrFp32 squareParts, GlobalPtrFp32 mean, GlobalPtrFp32 variance, int slices, int width, int channels,
        float share) where TDtype : struct, IDtype16
    {
        // (1) Add the parts in their order.
        int channel = Grid.IdxX * ChannelThreads + Group.IdxX;
        if (channel >= channels)
            return;
        float sum = AddParts(sumParts, channel, slices, width, channels),
            square = AddParts(squareParts, channel, slices, width, channels);

        // (2) Rounding may leave a variance below zero; a NaN stays.
        float difference = sum * share, squares = square * share - difference * difference;
        mean.Store(channel, x.Load(channel) + difference);
        variance.Store(channel, squares < 0 ? 0f : squares);
    }

    /// <summary>running += momentum * (factor batch - running).</summary>
    /// <remarks>A thread has a channel, a block 128; no shared memory.</remarks>
    [DeviceCode]
    private static void UpdateRunningKernel(GlobalPtrFp32 batch, GlobalPtrFp32 running, int channels, float factor,
        float momentum)
    {
        int channel = Grid.IdxX * ChannelThreads + Group.IdxX;
        if (channel >= channels)
            return;
        float before = running.Load(channel);
        running.Store(channel, before + momentum * (factor * batch.Load(channel) - before));
    }

    /// <summary>y = (x - mean) * rstd * gamma + beta + residual, then max(y, 0) if asked.</summary>
    /// <remarks>No shared memory.</remarks>
    [DeviceCode]
    private static void ForwardKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 gamma, GlobalPtrFp32 beta,
        GlobalPtrFp32 mean, GlobalPtrFp32 variance, GlobalPtr16<TDtype> residual, GlobalPtr16<TDtype> y, int rows,
        int width, int channels, int each, int relu, float epsilon, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Load the numbers of this thread's channels.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        if (count <= 0)
            return;
        ChannelLine line = ChannelLine.Load(gamma, beta, mean, variance, column % channels, count, epsilon, vectorized);

        // (2) Normalize this thread's rows.
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            Vec8 value = line.Of(line.Centered(Vec8.Load(x, at, count, vectorized)));
            if (!residual.IsNull)
                value = Vec8.Add(value, Vec8.Load(residual, at, count, vectorized));
            if (relu != 0)
                value = Rectified(value);
            Vec8.Store(y, at, value, count, vectorized);
        }
    }

    /// <summary>
    /// sumParts[slice] = sum of g, slopeParts[slice] = sum of g (x - mean), over the slice's rows; g is dy where the
    /// ReLU let the sum pass, and is written over dy where y is given.
    /// </summary>
    /// <remarks>Shared memory: 32 bytes a thread, used twice.</remarks>
    [DeviceCode]
    private static void SumsKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> dy, GlobalPtr16<TDtype> y,
        GlobalPtrFp32 gamma, GlobalPtrFp32 beta, GlobalPtrFp32 mean, GlobalPtrFp32 variance, GlobalPtrFp32 sumParts,
        GlobalPtrFp32 slopeParts, int rows, int width, int channels, int each, int relu, float epsilon, int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Load the numbers of this thread's channels.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        Vec8 sum = default, slope = default;
        ChannelLine line = default;
        if (count > 0)
            line = ChannelLine.Load(gamma, beta, mean, variance, column % channels, count, epsilon, vectorized);

        // (2) Sum this thread's rows of its columns.
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end && count > 0; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            Vec8 centered = line.Centered(Vec8.Load(x, at, count, vectorized)),
                g = Vec8.Load(dy, at, count, vectorized);
            if (!y.IsNull)
            {
                g = Passed(Vec8.Load(y, at, count, vectorized), g);
                Vec8.Store(dy, at, g, count, vectorized);
            }
            else if (relu != 0)
            {
                g = Passed(line.Of(centered), g);
            }
            sum = Vec8.Add(sum, g);
            slope = Vec8.Add(slope, Vec8.Multiply(g, centered));
        }

        // (3) Sum over the block's warps.
        ColumnBlock.StoreSum(sum, sumParts, width);
        Group.Barrier();
        ColumnBlock.StoreSum(slope, slopeParts, width);
    }

    /// <summary>
    /// dbeta and dgamma of a channel from the parts of its sums, and what dx = scale g - average - product (x - mean)
    /// takes; `share` is one over the rows.
    /// </summary>
    /// <remarks>A thread has a channel, a block 128; no shared memory.</remarks>
    [DeviceCode]
    private static void SumsEndKernel(GlobalPtrFp32 sumParts, GlobalPtrFp32 slopeParts, GlobalPtrFp32 gamma,
        GlobalPtrFp32 variance, GlobalPtrFp32 dgamma, int accumulateDgamma, GlobalPtrFp32 dbeta, int accumulateDbeta,
        GlobalPtrFp32 averages, GlobalPtrFp32 products, int slices, int width, int channels, float share, float epsilon)
    {
        // (1) Add the parts in their order.
        int channel = Grid.IdxX * ChannelThreads + Group.IdxX;
        if (channel >= channels)
            return;
        float rstd = Ptx.InverseSqrt(variance.Load(channel) + epsilon), scale = gamma.Load(channel) * rstd;
        float sum = AddParts(sumParts, channel, slices, width, channels),
            product = rstd * AddParts(slopeParts, channel, slices, width, channels);

        // (2) Write what is asked for.
        if (!averages.IsNull)
        {
            averages.Store(channel, scale * (sum * share));
            products.Store(channel, scale * rstd * (product * share));
        }
        if (!dbeta.IsNull)
        {
            if (accumulateDbeta != 0)
                sum += dbeta.Load(channel);
            dbeta.Store(channel, sum);
        }
        if (!dgamma.IsNull)
        {
            if (accumulateDgamma != 0)
                product += dgamma.Load(channel);
            dgamma.Store(channel, product);
        }
    }

    /// <summary>dx (+)= scale g - average - product (x - mean), the last two only where they are given.</summary>
    /// <remarks>No shared memory.</remarks>
    [DeviceCode]
    private static void InputKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtr16<TDtype> dy, GlobalPtrFp32 gamma,
        GlobalPtrFp32 beta, GlobalPtrFp32 mean, GlobalPtrFp32 variance, GlobalPtrFp32 averages, GlobalPtrFp32 products,
        GlobalPtr16<TDtype> dx, int accumulate, int rows, int width, int channels, int each, int masks, float epsilon,
        int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Load the numbers of this thread's channels.
        int column = ColumnBlock.Column, count = width - column, end = IntrinsicMath.Min(rows, (Grid.IdxY + 1) * each);
        if (count <= 0)
            return;
        int channel = column % channels;
        ChannelLine line = ChannelLine.Load(gamma, beta, mean, variance, channel, count, epsilon, vectorized);
        Vec8 average = default, product = default;
        if (!averages.IsNull)
        {
            average = Vec8.Scale(Vec8.Load(averages, channel, count, vectorized), -1f);
            product = Vec8.Scale(Vec8.Load(products, channel, count, vectorized), -1f);
        }

        // (2) Give this thread's rows their gradients.
        for (int row = Grid.IdxY * each + ColumnBlock.Row; row < end; row += ColumnBlock.Rows)
        {
            long at = (long)row * width + column;
            Vec8 g = Vec8.Load(dy, at, count, vectorized), centered = default;
            if (masks != 0 || !averages.IsNull)
                centered = line.Centered(Vec8.Load(x, at, count, vectorized));
            if (masks != 0)
                g = Passed(line.Of(centered), g);
            Vec8 value = Vec8.Multiply(line.Scale, g);
            if (!averages.IsNull)
                value = Vec8.Add(value, Vec8.Add(average, Vec8.Multiply(centered, product)));
            Vec8.Write(dx, at, value, count, vectorized, accumulate);
        }
    }

    // The sum over slices and over the rows that lie side by side.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float AddParts(GlobalPtrFp32 parts, int channel, int slices, int width, int channels)
    {
        float sum = 0;
        for (int slice = 0; slice < slices; slice++)
            for (int column = channel; column < width; column += channels)
                sum += parts.Load((long)slice * width + column);
        return sum;
    }

    // A comparison with NaN is false, so that NaN stays.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Rectified(Vec8 a) => new()
    {
        A = a.A < 0 ? 0f : a.A,
        B = a.B < 0 ? 0f : a.B,
        C = a.C < 0 ? 0f : a.C,
        D = a.D < 0 ? 0f : a.D,
        E = a.E < 0 ? 0f : a.E,
        F = a.F < 0 ? 0f : a.F,
        G = a.G < 0 ? 0f : a.G,
        H = a.H < 0 ? 0f : a.H,
    };

    // Each g where the sum is above zero, else zero.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Passed(Vec8 sum, Vec8 g) => new()
    {
        A = sum.A > 0 ? g.A : 0f,
        B = sum.B > 0 ? g.B : 0f,
        C = sum.C > 0 ? g.C : 0f,
        D = sum.D > 0 ? g.D : 0f,
        E = sum.E > 0 ? g.E : 0f,
        F = sum.F > 0 ? g.F : 0f,
        G = sum.G > 0 ? g.G : 0f,
        H = sum.H > 0 ? g.H : 0f,
    };
}
