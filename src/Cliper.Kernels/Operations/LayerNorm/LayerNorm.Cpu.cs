using System.Runtime.CompilerServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class LayerNorm
{
    private const int RowsPerUnit = 16;

    // Column sums are added up within fixed slices of the rows, then over the slices in order, so that the number of
    // threads does not change a bit of the result.
    private const int Slices = 16;

    private static void ForwardHost(CpuDevice host, DeviceArray x, Affine affine, DeviceArray y, Statistics statistics,
        RowShape shape, float epsilon)
    {
        float* px = x.Floats, pg = affine.Gamma.Floats, pb = affine.Beta.Floats, py = y.Floats;
        float* pm = statistics.Mean.Floats, pr = statistics.Rstd.Floats;
        (int rows, int width) = shape;
        host.Pool.Run((rows + RowsPerUnit - 1) / RowsPerUnit, (unit, _) =>
        {
            int end = Math.Min(rows, (unit + 1) * RowsPerUnit);
            for (int row = unit * RowsPerUnit; row < end; row++)
            {
                float* source = px + (long)row * width, target = py + (long)row * width;
                (float m, float r) = host.Level switch
                {
                    SimdLevel.Avx512 => ForwardRow<Lanes512>(source, pg, pb, target, width, epsilon),
                    SimdLevel.Avx2 => ForwardRow<Lanes256>(source, pg, pb, target, width, epsilon),
                    _ => ForwardRow<LanesPortable>(source, pg, pb, target, width, epsilon),
                };
                if (pm != null)
                    pm[row] = m;
                if (pr != null)
                    pr[row] = r;
            }
        });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float Mean, float Rstd) ForwardRow<V>(float* x, float* gamma, float* beta, float* y, int width,
        float epsilon) where V : struct, ILanes<V>
    {
        int whole = width - width % V.Count;
        float mean = RowMath.Sum<V>(x, width) / width;

        // Four running sums: one alone would wait for its own addition each time.
        V m = V.Create(mean), s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int n = V.Count, at = 0;
        for (; at <= whole - 4 * n; at += 4 * n)
        {
            V d0 = V.Load(x + at) - m, d1 = V.Load(x + at + n) - m, d2 = V.Load(x + at + 2 * n) - m,
                d3 = V.Load(x + at + 3 * n) - m;
            s0 = V.MultiplyAdd(d0, d0, s0);
            s1 = V.MultiplyAdd(d1, d1, s1);
            s2 = V.MultiplyAdd(d2, d2, s2);
            s3 = V.MultiplyAdd(d3, d3, s3);
        }
        for (; at < whole; at += n)
        {
            V d = V.Load(x + at) - m;
            s0 = V.MultiplyAdd(d, d, s0);
        }
        float variance = V.Sum((s0 + s1) + (s2 + s3));
        for (int i = whole; i < width; i++)
            variance += (x[i] - mean) * (x[i] - mean);
        float rstd = 1 / MathF.Sqrt(variance / width + epsilon);

        V r = V.Create(rstd);
        for (int i = 0; i < whole; i += V.Count)
            V.MultiplyAdd((V.Load(x + i) - m) * r, V.Load(gamma + i), V.Load(beta + i)).Store(y + i);
        for (int i = whole; i < width; i++)
            y[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
        return (mean, rstd);
    }

    private static void BackwardHost(CpuDevice host, DeviceArray x, DeviceArray gamma, Statistics statistics,
        DeviceArray dy, Gradients gradients, RowShape shape)
    {
        float* px = x.Floats, pg = gamma.Floats, pm = statistics.Mean.Floats, pr = statistics.Rstd.Floats;
        float* pdy = dy.Floats, pdx = gradients.X.Array.Floats;
        bool accumulate = gradients.X.Accumulate, parameters = !gradients.Gamma.IsNull || !gradients.Beta.IsNull;
        (int rows, int width) = shape;
        DeviceArray partial = parameters ? host.Allocate(Slices * 2L * width) : default;
        float* sums = partial.Floats;
        host.Pool.Run(Slices, (slice, _) =>
        {
            float* sumGamma = parameters ? sums + slice * 2L * width : null;
            float* sumBeta = parameters ? sumGamma + width : null;
            if (parameters)
                new Span<float>(sumGamma, 2 * width).Clear();
            int end = (int)((long)rows * (slice + 1) / Slices);
            for (int row = (int)((long)rows * slice / Slices); row < end; row++)
            {
                long at = (long)row * width;
                float* d = pdx == null ? null : pdx + at;
                switch (host.Level)
                {
                    case SimdLevel.Avx512:
                        BackwardRow<Lanes512>(px + at, pg, pm[row], pr[row], pdy + at, d, accumulate, sumGamma,
                            sumBeta, width);
                        break;
                    case SimdLevel.Avx2:
                        BackwardRow<Lanes256>(px + at, pg, pm[row], pr[row], pdy + at, d, accumulate, sumGamma,
                            sumBeta, width);
                        break;
                    default:
                        BackwardRow<LanesPortable>(px + at, pg, pm[row], pr[row], pdy + at, d, accumulate, sumGamma,
                            sumBeta, width);
                        break;
                }
            }
        });
        if (!parameters)
            return;
        AddSlices(partial.Slice(0, (2 * Slices - 1L) * width), gradients.Gamma, width);
        AddSlices(partial.Slice(width, (2 * Slices - 1L) * width), gradients.Beta, width);
        host.Free(partial);
    }

    private static void AddSlices(DeviceArray sums, GradientTarget target, int width)
    {
        if (!target.IsNull)
            ColumnSum.Forward(sums, target, Slices, width, 2L * width);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<V>(float* x, float* gamma, float mean, float rstd, float* dy, float* dx,
        bool accumulate, float* sumGamma, float* sumBeta, int width) where V : struct, ILanes<V>
    {
        int whole = width - width % V.Count;
        V m = V.Create(mean), r = V.Create(rstd), sumG = V.Zero, sumGn = V.Zero;
        float averageG = 0, averageGn = 0;
        for (int i = 0; i < whole; i += V.Count)
        {
            V n = (V.Load(x + i) - m) * r, d = V.Load(dy + i), g = d * V.Load(gamma + i);
            sumG += g;
            sumGn = V.MultiplyAdd(g, n, sumGn);
            if (sumGamma != null)
            {
                V.MultiplyAdd(d, n, V.Load(sumGamma + i)).Store(sumGamma + i);
                (V.Load(sumBeta + i) + d).Store(sumBeta + i);
            }
        }
        for (int i = whole; i < width; i++)
        {
            float n = (x[i] - mean) * rstd, g = dy[i] * gamma[i];
            averageG += g;
            averageGn += g * n;
            if (sumGamma != null)
            {
                sumGamma[i] += dy[i] * n;
                sumBeta[i] += dy[i];
            }
        }
        if (dx == null)
            return;
        averageG = (averageG + V.Sum(sumG)) / width;
        averageGn = (averageGn + V.Sum(sumGn)) / width;
        V a = V.Create(averageG), b = V.Create(averageGn);
        for (int i = 0; i < whole; i += V.Count)
        {
            V n = (V.Load(x + i) - m) * r, g = V.Load(dy + i) * V.Load(gamma + i);
            V d = r * (g - a - n * b);
            if (accumulate)
                d += V.Load(dx + i);
            d.Store(dx + i);
        }
        for (int i = whole; i < width; i++)
        {
            float n = (x[i] - mean) * rstd;
            float d = rstd * (dy[i] * gamma[i] - averageG - n * averageGn);
            dx[i] = accumulate ? dx[i] + d : d;
        }
    }
}
