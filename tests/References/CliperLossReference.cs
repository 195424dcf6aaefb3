using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>Both losses of CLIPER over cosines s [batch, classes * subclasses] that a temperature divides.</summary>
internal static class CliperLossReference
{
    /// <summary>
    /// Everything that forward computes, and the gradient of dfine times the fine loss and dmargin times the margin's.
    /// </summary>
    public sealed record Outcome(double Fine, double Margin, double[] Alpha, int[] Nearest, int[] Counts,
        double[] Gradient);

    /// <summary>Computes all for the labels [batch]; the losses' gradients default to none.</summary>
    public static Outcome Both(double[] s, int[] labels, (int Classes, int Subclasses) sizes, EmptySubclasses rule,
        double dfine = 0, double dmargin = 0, bool modulates = true)
    {
        (int classes, int subclasses) = sizes;
        int batch = labels.Length, width = classes * subclasses;
        double fine = 0, margin = 0;
        var alpha = new double[batch];
        var nearest = new int[batch];
        var counts = new int[width];
        var gradient = new double[s.Length];
        for (int b = 0; b < batch; b++)
        {
            int own = labels[b] * subclasses;
            nearest[b] = Enumerable.Range(0, subclasses).MaxBy(m => s[b * width + own + m]);
            counts[own + nearest[b]]++;
        }
        for (int b = 0; b < batch; b++)
        {
            int own = labels[b] * subclasses;
            double[] n = [.. counts.Skip(own).Take(subclasses).Where(c => c > 0
                || rule == EmptySubclasses.MinusOneNinetyNinth)
                .Select(c => c == 0 ? -1.0 / 99 : c)];
            double mine = counts[own + nearest[b]];
            alpha[b] = !modulates ? 1 : n.Sum() * (Math.Exp(1 / mine) / n.Sum(c => Math.Exp(1 / c))) / mine;

            List<int> against = [own + nearest[b], .. Enumerable.Range(0, width)
                .Where(i => i / subclasses != labels[b])];
            fine += alpha[b] * CrossEntropy(s, gradient, b * width, against, alpha[b] * dfine / batch) / batch;

            List<int> extremes = [own + Enumerable.Range(0, subclasses).MinBy(m => s[b * width + own + m])];
            for (int k = 0; k < classes; k++)
                if (k != labels[b])
                    extremes.Add(Enumerable.Range(k * subclasses, subclasses).MaxBy(i => s[b * width + i]));
            margin += CrossEntropy(s, gradient, b * width, extremes, dmargin / batch) / batch;
        }
        return new(fine, margin, alpha, nearest, counts, gradient);
    }

    /// <summary>Loss of the first position against all; adds its gradient times <paramref name="weight"/>.</summary>
    private static double CrossEntropy(double[] s, double[] gradient, int row, List<int> positions, double weight)
    {
        double z = Math.Log(positions.Sum(i => Math.Exp(s[row + i])));
        foreach (int i in positions)
            gradient[row + i] += weight * (Math.Exp(s[row + i] - z) - (i == positions[0] ? 1 : 0));
        return z - s[row + positions[0]];
    }
}
