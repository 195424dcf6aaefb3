using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>
/// softmax(q k / sqrt(head size)) v and its gradients, and beside each sum how far roundings on the way carry.
/// </summary>
/// <remarks>
/// An implementation may round the probabilities p, the scores' gradients g = p (dp - D) and the output that D comes
/// from, each by some u of the number. <see cref="Sums.Variances"/> adds up the squares of what a rounding of 1 in each
/// of them changes, in units of u.
/// </remarks>
internal sealed record AttentionReference(AttentionReference.Sums Output, double[] LogSumExp,
    AttentionReference.Sums Dq, AttentionReference.Sums Dkv, double Floor, AttentionReference.Layout Rows)
{
    /// <summary>Where queries begin and how far apart their rows are; likewise keys, values after them.</summary>
    public readonly record struct Layout(int QueryOffset, int QueryStride, int KeyOffset, int KeyStride);

    /// <summary>Sums, and the sums of the squares of what may be off by u in them.</summary>
    public sealed class Sums(int count)
    {
        public double[] Values { get; } = new double[count];

        public double[] Variances { get; } = new double[count];

        public void Add(int at, double value, double variance)
        {
            Values[at] += value;
            Variances[at] += variance;
        }
    }

    /// <summary>
    /// Computes all of queries, of keys and values side by side, and of the gradient by the output [rows, width]; the
    /// gradients have the layout of q and kv.
    /// </summary>
    /// <param name="sizes">Sizes of the operation.</param>
    /// <param name="lengths">Keys that each sample's queries see, unless they are causal.</param>
    /// <param name="layout">The layout of q and of kv.</param>
    /// <param name="operands">The numbers.</param>
    /// <param name="floor">
    /// The least rounding in units of u: a number so small that its format is not relative any more errs by it.
    /// </param>
    public static AttentionReference Of(Attention.Sizes sizes, int[] lengths, Layout layout,
        (double[] Q, double[] Kv, double[] D) operands, double floor = 0)
    {
        int width = sizes.Heads * sizes.HeadSize;
        var reference = new AttentionReference(new Sums(operands.D.Length), new double[sizes.Statistics],
            new Sums(operands.Q.Length), new Sums(operands.Kv.Length), floor, layout);
        for (int sample = 0; sample < sizes.Samples; sample++)
            for (int head = 0; head < sizes.Heads; head++)
                for (int query = 0; query < sizes.Queries; query++)
                {
                    int token = sample * sizes.Queries + query, column = head * sizes.HeadSize;
                    reference.LogSumExp[(sample * sizes.Heads + head) * sizes.Queries + query] = reference.AddRow(
                        (sizes.HeadSize, width, sizes.Causal ? query + 1 : lengths[sample]),
                        layout.QueryOffset + token * layout.QueryStride + column, token * width + column,
                        layout.KeyOffset + sample * sizes.Keys * layout.KeyStride + column, operands);
                }
        return reference;
    }

    // Adds one query of a head: its elements begin at row, its output at result, the first key at first.
    private double AddRow((int HeadSize, int Width, int Keys) sizes, int row, int result, int first,
        (double[] Q, double[] Kv, double[] D) operands)
    {
        (int headSize, int width, int keys) = sizes;
        (double[] q, double[] kv, double[] d) = operands;
        int stride = Rows.KeyStride;
        double scale = 1 / Math.Sqrt(headSize), total = 0, delta = 0, deltaVariance = 0;
        var p = new double[keys];
        for (int j = 0; j < keys; j++)
        {
            for (int c = 0; c < headSize; c++)
                p[j] += q[row + c] * kv[first + j * stride + c];
            p[j] *= scale;
        }
        double max = p.Max();
        for (int j = 0; j < keys; j++)
            total += p[j] = Math.Exp(p[j] - max);
        for (int j = 0; j < keys; j++)
        {
            p[j] /= total;
            for (int c = 0; c < headSize; c++)
            {
                double v = kv[first + j * stride + width + c];
                Output.Add(result + c, p[j] * v, Square(p[j] * v) + Square(Floor * v));
            }
        }
        for (int c = 0; c < headSize; c++)
        {
            double part = Output.Values[result + c] * d[result + c];
            delta += part;
            deltaVariance += Square(part) + Output.Variances[result + c] * Square(d[result + c]);
        }
        var seen = new double[headSize];
        for (int j = 0; j < keys; j++)
        {
            int key = first + j * stride;
            double dp = 0;
            for (int c = 0; c < headSize; c++)
                dp += d[result + c] * kv[key + width + c];
            double g = p[j] * (dp - delta), rounding = Square(g) + Square(Floor);
            for (int c = 0; c < headSize; c++)
            {
                seen[c] += p[j] * kv[key + c];
                Dq.Add(row + c, scale * g * kv[key + c], Square(scale * kv[key + c]) * rounding);
                Dkv.Add(key + c, scale * g * q[row + c], Square(scale * q[row + c])
                    * (rounding + Square(p[j]) * deltaVariance));
                Dkv.Add(key + width + c, p[j] * d[result + c], (Square(p[j]) + Square(Floor)) * Square(d[result + c]));
            }
        }
        // An error of D is one for all keys of the row.
        for (int c = 0; c < headSize; c++)
            Dq.Add(row + c, 0, Square(scale * seen[c]) * deltaVariance);
        return max + Math.Log(total);
    }

    private static double Square(double value) => value * value;
}
