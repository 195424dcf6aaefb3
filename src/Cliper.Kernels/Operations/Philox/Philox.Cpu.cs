using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Philox
{
    private const int BlocksPerUnit = 4096;

    private static void FillHost<TDraw>(CpuDevice host, TDraw draw, DeviceArray y, ulong seed, RandomPurpose purpose,
        uint step, uint stream) where TDraw : struct, IDraw
    {
        float* target = y.Floats;
        long length = y.Length, blocks = (length + 3) / 4;
        host.Pool.Run((int)((blocks + BlocksPerUnit - 1) / BlocksPerUnit), (unit, _) =>
        {
            long end = Math.Min(blocks, (unit + 1L) * BlocksPerUnit);
            for (long block = (long)unit * BlocksPerUnit; block < end; block++)
            {
                (uint w0, uint w1, uint w2, uint w3) = Block((uint)block, stream, step, (uint)purpose, seed);
                (float a, float b, float c, float d) = draw.From(w0, w1, w2, w3);
                float* at = target + 4 * block;
                long left = length - 4 * block;
                at[0] = a;
                if (left > 1)
                    at[1] = b;
                if (left > 2)
                    at[2] = c;
                if (left > 3)
                    at[3] = d;
            }
        });
    }
}
