using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Erase
{
    // A row a rectangle: image, x, y, width, height.
    private const int GpuThreads = 128, Fields = 5;

    private static readonly GpuKernel Clearing =
        new(((Action<Integers, Floats, int, int>)ClearPixel).Method, "Erase", GpuThreads, 1, 32);

    internal static IEnumerable<GpuKernel> GpuKernels => [Clearing];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray y, int width, int height, ReadOnlySpan<(int Image, PixelBox Box)> boxes)
    {
        if (boxes.IsEmpty)
            return;
        var table = new int[boxes.Length * Fields];
        int mostPixels = 0;
        for (int index = 0; index < boxes.Length; index++)
        {
            (int image, PixelBox box) = boxes[index];
            ((ReadOnlySpan<int>)[image, box.X, box.Y, box.Width, box.Height]).CopyTo(table.AsSpan(index * Fields));
            mostPixels = Math.Max(mostPixels, box.Width * box.Height);
        }
        DeviceArray rows = gpu.From(table);
        gpu.Run(Clearing, new Blocks(Blocks.Cover(mostPixels, GpuThreads), boxes.Length, 3), rows, y, width, height);
        gpu.Free(rows);
    }

    // A thread has a pixel of a rectangle in one channel.
    private static void ClearPixel(Integers table, Floats y, int width, int height)
    {
        int row = Grid.IdxY * Fields, columns = table.Load(row + 3), at = Grid.IdxX * GpuThreads + Group.IdxX, line = at / columns;
        if (line >= table.Load(row + 4))
            return;
        long plane = 3L * table.Load(row) + Grid.IdxZ;
        y.Store((plane * height + table.Load(row + 2) + line) * width + table.Load(row + 1) + at - line * columns, 0);
    }
}
