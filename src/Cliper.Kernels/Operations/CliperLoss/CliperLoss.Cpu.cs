using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static unsafe partial class CliperLoss
{
    private static void ForwardHost(DeviceArray logits, DeviceArray labels, DeviceArray losses, Modulation modulation,
        Sizes sizes, EmptySubclasses rule, bool modulates)
    {
        (int batch, int classes, int subclasses) = sizes;
        Check.Labels(labels, classes);
        float* s = logits.Floats, factors = modulation.Alpha.Floats;
        int* y = labels.Ints, j = modulation.Nearest.Ints;
        int width = sizes.Width;
        Span<int> n = modulation.Counts.AsSpan<int>();
        n.Clear();
        for (int b = 0; b < batch; b++)
        {
            j[b] = ArgMax(s + (long)b * width + y[b] * subclasses, subclasses);
            n[y[b] * subclasses + j[b]]++;
        }
        double fine = 0, margin = 0;
        var positions = new int[classes];
        for (int b = 0; b < batch; b++)
        {
            float* row = s + (long)b * width;
            factors[b] = !modulates ? 1 : (float)Alpha(n.Slice(y[b] * subclasses, subclasses), j[b], rule);
            int positive = y[b] * subclasses + j[b];
            fine += (double)factors[b] * (FineLogSum(row, positive, y[b], width, subclasses) - row[positive]);
            MarginPositions(row, y[b], positions, subclasses);
            margin += MarginLogSum(row, positions) - row[positions[y[b]]];
        }
        losses.Floats[0] = (float)(fine / batch);
        losses.Floats[1] = (float)(margin / batch);
    }

    private static void BackwardHost(CpuDevice host, DeviceArray logits, DeviceArray labels, Modulation modulation,
        DeviceArray dlosses, GradientTarget dlogits, Sizes sizes)
    {
        (int batch, int classes, int subclasses) = sizes;
        float* factors = modulation.Alpha.Floats;
        int* y = labels.Ints, j = modulation.Nearest.Ints;
        int width = sizes.Width;
        if (!dlogits.Accumulate)
            host.Clear(dlogits.Array);
        var positions = new int[classes];
        for (int b = 0; b < batch; b++)
        {
            float* row = logits.Floats + (long)b * width, d = dlogits.Array.Floats + (long)b * width;
            double weight = (double)factors[b] * dlosses.Floats[0] / batch;
            int positive = y[b] * subclasses + j[b];
            double logSum = FineLogSum(row, positive, y[b], width, subclasses);
            for (int i = 0; i < width; i++)
                if (i == positive || i / subclasses != y[b])
                    d[i] += (float)(weight * (Math.Exp(row[i] - logSum) - (i == positive ? 1 : 0)));

            weight = (double)dlosses.Floats[1] / batch;
            MarginPositions(row, y[b], positions, subclasses);
            logSum = MarginLogSum(row, positions);
            for (int k = 0; k < classes; k++)
                d[positions[k]] += (float)(weight * (Math.Exp(row[positions[k]] - logSum) - (k == y[b] ? 1 : 0)));
        }
    }

    private static double Alpha(ReadOnlySpan<int> counts, int nearest, EmptySubclasses rule)
    {
        const double Empty = -1.0 / 99;
        double sum = 0, weights = 0;
        // Largest exponent is 1/1: no maximum has to be taken out before the exponentials.
        foreach (int count in counts)
        {
            if (count == 0 && rule == EmptySubclasses.LeftOut)
                continue;
            double value = count == 0 ? Empty : count;
            sum += value;
            weights += Math.Exp(1 / value);
        }
        return sum * Math.Exp(1.0 / counts[nearest]) / weights / counts[nearest];
    }

    /// <summary>log of the sum of exponentials over the positive and all subclasses of other classes.</summary>
    private static double FineLogSum(float* row, int positive, int label, int width, int subclasses)
    {
        double max = row[positive], sum = 0;
        for (int i = 0; i < width; i++)
            if (i / subclasses != label)
                max = Math.Max(max, row[i]);
        for (int i = 0; i < width; i++)
            if (i == positive || i / subclasses != label)
                sum += Math.Exp(row[i] - max);
        return max + Math.Log(sum);
    }

    /// <summary>Where the class's minimum and every other class's maximum stand in the row.</summary>
    private static void MarginPositions(float* row, int label, int[] positions, int subclasses)
    {
        for (int k = 0; k < positions.Length; k++)
        {
            int first = k * subclasses;
            positions[k] = first + (k == label ? ArgMin(row + first, subclasses) : ArgMax(row + first, subclasses));
        }
    }

    private static double MarginLogSum(float* row, int[] positions)
    {
        double max = double.NegativeInfinity, sum = 0;
        foreach (int position in positions)
            max = Math.Max(max, row[position]);
        foreach (int position in positions)
            sum += Math.Exp(row[position] - max);
        return max + Math.Log(sum);
    }

    // A NaN is both smallest and largest, so that it is not lost.
    private static int ArgMax(float* x, int count)
    {
        int best = 0;
        for (int i = 1; i < count && !float.IsNaN(x[best]); i++)
            if (x[i] > x[best] || float.IsNaN(x[i]))
                best = i;
        return best;
    }

    private static int ArgMin(float* x, int count)
    {
        int best = 0;
        for (int i = 1; i < count && !float.IsNaN(x[best]); i++)
            if (x[i] < x[best] || float.IsNaN(x[i]))
                best = i;
        return best;
    }
}
