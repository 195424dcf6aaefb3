using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class L2Normalize
{
    // A warp has a row; the second look at it comes from the first-level cache.
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;

    private static readonly GpuKernel ForwardRows =
        new(((Action<Floats, Floats, Floats, int, int, int>)ForwardRow).Method, "L2Normalize forward", GpuThreads, 1, 64);

    private static readonly GpuKernel BackwardRows =
        new(((Action<Floats, Floats, Floats, Floats, int, int, int, int>)BackwardRow).Method, "L2Normalize backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardRows, BackwardRows];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, DeviceArray inverse, int rows, int width) =>
        gpu.Run(ForwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, y, inverse, rows, width,
            Chunk.IsWide(width, width, x, y));

    private static void BackwardGpu(GpuDevice gpu, DeviceArray y, DeviceArray inverse, DeviceArray dy, DeviceArray dx, bool accumulate,
        int rows, int width) =>
        gpu.Run(BackwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), y, inverse, dy, dx, rows, width, accumulate,
            Chunk.IsWide(width, width, y, dy, dx));

    private static void ForwardRow(Floats x, Floats y, Floats inverse, int rows, int width, int wide)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float squares = 0;
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            F8 value = Chunk.Load(x, first + column, width - column, wide);
            squares += Chunk.Sum(Chunk.Multiply(value, value));
        }
        squares = Gpu.WarpSum(squares);
        // As on the host: an infinite length makes NaN, not zeros that hide it.
        float factor = squares == 0 ? 0f : Gpu.InverseSqrt(squares) + (squares - squares);
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            Chunk.Store(y, first + column, Chunk.Scale(Chunk.Load(x, first + column, count, wide), factor), count, wide);
        }
        if (lane == 0 && !inverse.IsNull)
            inverse.Store(row, factor);
    }

    private static void BackwardRow(Floats y, Floats inverse, Floats dy, Floats dx, int rows, int width, int accumulate, int wide)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * width;
        float along = 0, factor = inverse.Load(row);
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            along += Chunk.Sum(Chunk.Multiply(Chunk.Load(y, first + column, count, wide), Chunk.Load(dy, first + column, count, wide)));
        }
        along = Gpu.WarpSum(along);
        for (int column = lane * Chunk.Size; column < width; column += 32 * Chunk.Size)
        {
            int count = width - column;
            F8 part = Chunk.Scale(Chunk.Load(y, first + column, count, wide), -along);
            F8 d = Chunk.Scale(Chunk.Add(Chunk.Load(dy, first + column, count, wide), part), factor);
            Chunk.Write(dx, first + column, d, count, wide, accumulate);
        }
    }
}
