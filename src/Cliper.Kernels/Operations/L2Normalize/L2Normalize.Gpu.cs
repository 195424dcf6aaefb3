using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class L2Normalize
{
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;

    private static readonly GpuKernel ForwardRows =
        new(((Action<Floats, Floats, Floats, int, int>)ForwardRow).Method, "L2Normalize forward", GpuThreads, 1, 64);

    private static readonly GpuKernel BackwardRows =
        new(((Action<Floats, Floats, Floats, Floats, int, int, int>)BackwardRow).Method, "L2Normalize backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardRows, BackwardRows];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, DeviceArray inverse, int rows, int width) =>
        gpu.Run(ForwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, y, inverse, rows, width);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray y, DeviceArray inverse, DeviceArray dy, DeviceArray dx, bool accumulate,
        int rows, int width) =>
        gpu.Run(BackwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), y, inverse, dy, dx, rows, width, accumulate);

    private static void ForwardRow(Floats x, Floats y, Floats inverse, int rows, int width)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float squares = 0;
        for (int column = lane; column < width; column += 32)
        {
            float value = x.Load(first + column);
            squares = Gpu.Fma(value, value, squares);
        }
        squares = Gpu.WarpSum(squares);
        // As on the host: an infinite length makes NaN, not zeros that hide it.
        float factor = squares == 0 ? 0f : Gpu.InverseSqrt(squares) + (squares - squares);
        for (int column = lane; column < width; column += 32)
            y.Store(first + column, x.Load(first + column) * factor);
        if (lane == 0 && !inverse.IsNull)
            inverse.Store(row, factor);
    }

    private static void BackwardRow(Floats y, Floats inverse, Floats dy, Floats dx, int rows, int width, int accumulate)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float along = 0, factor = inverse.Load(row);
        for (int column = lane; column < width; column += 32)
            along = Gpu.Fma(y.Load(first + column), dy.Load(first + column), along);
        along = Gpu.WarpSum(along);
        for (int column = lane; column < width; column += 32)
        {
            float d = (dy.Load(first + column) - y.Load(first + column) * along) * factor;
            dx.Store(first + column, accumulate != 0 ? dx.Load(first + column) + d : d);
        }
    }
}
