using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;

namespace Cliper.Kernels.Operations;

public static unsafe partial class AffineWarp
{
    private static void ForwardHost(CpuDevice host, (ImageView Source, AffineMap Map, ImageView Target)[] parts) =>
        host.Pool.Run(parts.Length, (index, _) =>
        {
            (ImageView source, AffineMap map, ImageView target) = parts[index];
            ForwardHost(source.Bytes, source.Width, source.Height, source.Channels, map, target.Bytes);
        });

    private static void ForwardHost(ReadOnlySpan<byte> source, int width, int height, int channels, AffineMap map,
        Span<byte> target)
    {
        fixed (byte* input = source, output = target)
        {
            for (int y = 0; y < height; y++)
            {
                byte* line = output + (long)y * width * channels;
                if (channels == 1)
                    Row<One>(input, width, height, map, y, line);
                else
                    Row<Three>(input, width, height, map, y, line);
            }
        }
    }

    private interface IChannels
    {
        static abstract int Count { get; }
    }

    private readonly struct One : IChannels
    {
        public static int Count => 1;
    }

    private readonly struct Three : IChannels
    {
        public static int Count => 3;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Row<TChannels>(byte* input, int width, int height, AffineMap map, int y, byte* output)
        where TChannels : struct, IChannels
    {
        double x0 = map.B * y + map.C, y0 = map.E * y + map.F, stepX = map.A, stepY = map.D;
        int stride = width * TChannels.Count;
        int maxX = (width - 1) << FractionBits, maxY = (height - 1) << FractionBits;
        for (int x = 0; x < width; x++, output += TChannels.Count)
        {
            int fx = Fixed(x0 + stepX * x, maxX), fy = Fixed(y0 + stepY * x, maxY);
            int left = fx >> FractionBits, top = fy >> FractionBits;
            int right = (fx >> 8) & 255, below = (fy >> 8) & 255;
            byte* p = input + top * stride + left * TChannels.Count;
            int toRight = right == 0 ? 0 : TChannels.Count, toBelow = below == 0 ? 0 : stride;
            int w11 = right * below, w10 = (right << 8) - w11, w01 = (below << 8) - w11, w00 = 65536 - w10 - w01 - w11;
            for (int c = 0; c < TChannels.Count; c++)
                output[c] = (byte)((p[c] * w00 + p[c + toRight] * w10 + p[c + toBelow] * w01 + p[c + toRight
                    + toBelow] * w11
                    + 32768) >> 16);
        }
    }
}
