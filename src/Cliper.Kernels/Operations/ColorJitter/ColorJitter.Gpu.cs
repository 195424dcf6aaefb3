using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class ColorJitter
{
    private const int GpuThreads = 256;

    // A row a picture: address, pixels, channels, order with two bits a change, the turn of the hue or NoTurn, two pairs of factors.
    private const int Fields = 7, NoTurn = -1;

    private static readonly GpuKernel Jittering = new(typeof(ColorJitter), nameof(JitterKernel), "ColorJitter", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [Jittering];

    private static void ForwardGpu(GpuDevice gpu, ReadOnlySpan<(ImageView Picture, Changes Changes)> pictures)
    {
        var table = new long[pictures.Length * Fields];
        for (int index = 0; index < pictures.Length; index++)
        {
            (ImageView picture, Changes changes) = pictures[index];
            Span<long> row = table.AsSpan(index * Fields, Fields);
            (row[0], row[1], row[2]) = (picture.Pixels.Address, picture.Width * picture.Height, picture.Channels);
            row[3] = (int)changes.First | (int)changes.Second << 2 | (int)changes.Third << 4 | (int)changes.Last << 6;
            row[4] = changes.Hue == 0 ? NoTurn : Steps(changes.Hue);
            row[5] = TensorTable.Pair(changes.Brightness, changes.Contrast);
            row[6] = TensorTable.Pair(changes.Saturation, 0);
        }
        DeviceArray rows = gpu.From(MemoryMarshal.Cast<long, int>(table));
        gpu.Run(Jittering, new Blocks(pictures.Length), rows);
        gpu.Free(rows);
    }
}
