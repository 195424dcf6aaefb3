using System.Runtime.InteropServices;
using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class Normalize
{
    // A row a picture: address, channels. A thread has four pixels.
    private const int GpuThreads = 128, Fields = 2, Pixels = 4;

    private static readonly GpuKernel LookingUp =
        new(((Action<Integers, Floats, Floats, int, int>)LookUpPixels).Method, "Normalize", GpuThreads, 1, 48);

    internal static IEnumerable<GpuKernel> GpuKernels => [LookingUp];

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<Picture> pictures, DeviceArray y, DeviceArray table, int size)
    {
        var rows = new long[pictures.Length * Fields];
        for (int index = 0; index < pictures.Length; index++)
            (rows[index * Fields], rows[index * Fields + 1]) = (pictures[index].Pixels.Address, pictures[index].Channels);
        DeviceArray device = gpu.From(MemoryMarshal.Cast<long, int>(rows));
        gpu.Run(LookingUp, new Blocks(Blocks.Cover(size, GpuThreads * Pixels), pictures.Length), device, y, table, size,
            size % Pixels == 0 && y.Address % 16 == 0);
        gpu.Free(device);
    }

    // The table makes the values the host's to the bit. Planes are written 16 bytes at a time where they begin at multiples of 16.
    private static void LookUpPixels(Integers rows, Floats y, Floats table, int size, int wide)
    {
        var row = TensorTable.Row.At(rows, Grid.IdxY, Fields);
        var pixels = new Bytes(row.Long(0));
        int step = row.Int(1), first = (Grid.IdxX * GpuThreads + Group.IdxX) * Pixels;
        if (first >= size)
            return;
        for (int channel = 0; channel < 3; channel++)
        {
            int from = first * step + (step == 1 ? 0 : channel), values = 256 * channel;
            long to = (3L * Grid.IdxY + channel) * size + first;
            if (wide != 0)
            {
                F4 four;
                four.X = table.Load(values + pixels.Load(from));
                four.Y = table.Load(values + pixels.Load(from + step));
                four.Z = table.Load(values + pixels.Load(from + 2 * step));
                four.W = table.Load(values + pixels.Load(from + 3 * step));
                y.Store4(to, four);
                continue;
            }
            for (int i = 0; i < Pixels && first + i < size; i++)
                y.Store(to + i, table.Load(values + pixels.Load(from + i * step)));
        }
    }
}
