using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class AffineWarp
{
    /// <summary>Reads a <see cref="ImageRow"/>; each property is the field of its name.</summary>
    [DeviceCode]
    private readonly struct ImageRowView
    {
        /// <summary>Size of a row in units of 64 bits.</summary>
        public const int Units = 11;

        private readonly TensorTable.Row _row;

        public ImageRowView(TensorTable.Row row) => _row = row;

        public long Source => _row.Long(0);

        public long Target => _row.Long(1);

        public int Width => _row.Int(2);

        public int Height => _row.Int(3);

        public int Channels => _row.Int(4);

        public double A => _row.Double(5);

        public double B => _row.Double(6);

        public double C => _row.Double(7);

        public double D => _row.Double(8);

        public double E => _row.Double(9);

        public double F => _row.Double(10);
    }

    /// <summary>Samples each pixel of the target from its place in the source, bilinearly in fixed point.</summary>
    /// <remarks>
    /// A thread has one pixel, a block 128; y of the grid is the image. Positions are fp64, as on the CPU; no shared
    /// memory. Any GPU from compute capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void WarpKernel(GlobalPtrInt32 table)
    {
        // (1) Find the image and the pixel.
        var row = new ImageRowView(TensorTable.Row.At(table, Grid.IdxY, ImageRowView.Units));
        int width = row.Width, height = row.Height, channels = row.Channels;
        int at = Grid.IdxX * GpuThreads + Group.IdxX, y = at / width, x = at - y * width;
        if (y >= height)
            return;

        // (2) Compute its place in the source, and the weights of the four pixels around it.
        GlobalPtrUInt8 source = new(row.Source), target = new(row.Target);
        double x0 = row.B * y + row.C, y0 = row.E * y + row.F;
        int fx = Fixed(x0 + row.A * x, (width - 1) << FractionBits),
            fy = Fixed(y0 + row.D * x, (height - 1) << FractionBits);
        int left = fx >> FractionBits, top = fy >> FractionBits, right = (fx >> 8) & 255, below = (fy >> 8) & 255;
        int toRight = right == 0 ? 0 : channels, toBelow = below == 0 ? 0 : width * channels;
        int w11 = right * below, w10 = (right << 8) - w11, w01 = (below << 8) - w11, w00 = 65536 - w10 - w01 - w11;

        // (3) Store the weighted sum of each channel.
        int from = (top * width + left) * channels;
        for (int c = 0; c < channels; c++, from++)
            target.Store((long)at * channels + c, (source.Load(from) * w00 + source.Load(from + toRight) * w10
                + source.Load(from + toBelow) * w01 + source.Load(from + toRight + toBelow) * w11 + 32768) >> 16);
    }
}
