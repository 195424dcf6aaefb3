using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AffineWarp
{
    // A thread has a pixel.
    [DeviceCode]
    private static void WarpKernel(GlobalPtrInt32 table)
    {
        var row = TensorTable.Row.At(table, Grid.IdxY, Fields);
        int width = row.Int(2), height = row.Int(3), channels = row.Int(4);
        int at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / width, x = at - y * width;
        if (y >= height)
            return;
        GlobalPtrUInt8 source = new(row.Long(0)), target = new(row.Long(1));
        double x0 = row.Double(6) * y + row.Double(7), y0 = row.Double(9) * y + row.Double(10);
        int fx = Fixed(x0 + row.Double(5) * x, (width - 1) << FractionBits), fy = Fixed(y0 + row.Double(8) * x, (height - 1) << FractionBits);
        int left = fx >> FractionBits, top = fy >> FractionBits, right = (fx >> 8) & 255, below = (fy >> 8) & 255;
        int toRight = right == 0 ? 0 : channels, toBelow = below == 0 ? 0 : width * channels;
        int w11 = right * below, w10 = (right << 8) - w11, w01 = (below << 8) - w11, w00 = 65536 - w10 - w01 - w11;
        int from = (top * width + left) * channels;
        for (int c = 0; c < channels; c++, from++)
            target.Store((long)at * channels + c, (source.Load(from) * w00 + source.Load(from + toRight) * w10
                + source.Load(from + toBelow) * w01 + source.Load(from + toRight + toBelow) * w11 + 32768) >> 16);
    }
}
