using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class ColumnSum
{
    private const int ColumnsPerUnit = 64;
    private const int RowsPerRun = 64;

    private static void ForwardHost(CpuDevice host, DeviceArray x, GradientTarget y, int rows, int width, long stride)
    {
        // Whole blocks of columns a unit, more of them when the columns are short.
        long blocks = 1 + RangeLoop.Grain / ((long)ColumnsPerUnit * Math.Max(1, rows));
        RangeLoop.Run(host, width, blocks * ColumnsPerUnit, new ForwardBody(x.Floats, y.Array.Floats, y.Accumulate,
            rows, stride));
    }

    private readonly struct ForwardBody(float* x, float* y, bool accumulate, int rows, long stride) : IRangeBody
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public void Run<V>(long start, long end) where V : struct, ILanes<V>
        {
            float* px = x;
            long step = stride;
            int n = V.Count;
            long column = start;
            for (; column <= end - 4 * n; column += 4 * n)
            {
                V t0 = V.Zero, t1 = V.Zero, t2 = V.Zero, t3 = V.Zero;
                for (int first = 0; first < rows; first += RowsPerRun)
                {
                    V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
                    int last = Math.Min(rows, first + RowsPerRun);
                    float* p = px + first * step + column;
                    for (int row = first; row < last; row++, p += step)
                    {
                        s0 += V.Load(p);
                        s1 += V.Load(p + n);
                        s2 += V.Load(p + 2 * n);
                        s3 += V.Load(p + 3 * n);
                    }
                    t0 += s0;
                    t1 += s1;
                    t2 += s2;
                    t3 += s3;
                }
                Write(t0, column, n);
                Write(t1, column + n, n);
                Write(t2, column + 2 * n, n);
                Write(t3, column + 3 * n, n);
            }
            for (; column < end; column += n)
            {
                int count = (int)Math.Min(n, end - column);
                V total = V.Zero;
                for (int first = 0; first < rows; first += RowsPerRun)
                {
                    V sum = V.Zero;
                    int last = Math.Min(rows, first + RowsPerRun);
                    for (int row = first; row < last; row++)
                        sum += V.LoadPartial(px + row * step + column, count);
                    total += sum;
                }
                Write(total, column, count);
            }
        }

        private void Write<V>(V value, long column, int count) where V : struct, ILanes<V> =>
            (accumulate ? V.LoadPartial(y + column, count) + value : value).StorePartial(y + column, count);
    }
}
