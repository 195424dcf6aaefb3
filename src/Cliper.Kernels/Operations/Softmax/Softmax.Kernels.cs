using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Softmax
{
    private const float Log2OfE = 1.44269504f;

    /// <summary>y = softmax(x), one row a warp.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. A lane has every 32nd
    /// element of its row. The second and third pass read the row from the first-level cache. Any GPU from compute
    /// capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel<TX>(TX x, TX y, int rows, int width) where TX : struct, IGlobalPtr
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Find the row's maximum. It leaves out NaNs, which come back with the exponentials.
        float max = float.NegativeInfinity, sum = 0;
        for (int column = lane; column < width; column += 32)
            max = Ptx.Max(max, x.Load(first + column));
        max = Ptx.WarpMax(max);

        // (2) Sum the exponentials in fp32.
        for (int column = lane; column < width; column += 32)
            sum += Ptx.Exp2((x.Load(first + column) - max) * Log2OfE);
        float factor = 1f / Ptx.WarpSum(sum);

        // (3) Store each exponential times the factor; y may be x, because a lane reads no element but those that it
        // writes.
        for (int column = lane; column < width; column += 32)
            y.Store(first + column, Ptx.Exp2((x.Load(first + column) - max) * Log2OfE) * factor);
    }

    /// <summary>dx = y (dy - sum of dy y), one row a warp.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. A lane has every 32nd
    /// element of its row. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel<TX>(TX y, TX dy, TX dx, int rows, int width, int accumulate)
        where TX : struct, IGlobalPtr
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;

        // (1) Sum dy y over the row.
        float sum = 0;
        for (int column = lane; column < width; column += 32)
            sum = Ptx.Fma(dy.Load(first + column), y.Load(first + column), sum);
        sum = Ptx.WarpSum(sum);

        // (2) Store the gradient, or add to it; dx may be dy, because a lane reads no element but those that it writes.
        for (int column = lane; column < width; column += 32)
        {
            long at = first + column;
            float d = y.Load(at) * (dy.Load(at) - sum);
            dx.Store(at, accumulate != 0 ? dx.Load(at) + d : d);
        }
    }
}
