namespace Cliper.References;

/// <summary>The mean over rows of the sum of -t log softmax(x), with targets t in the shape of x.</summary>
internal static class SoftmaxCrossEntropyReference
{
    /// <summary>One where a row's label is, zero elsewhere.</summary>
    public static double[] OneHot(int[] labels, int classes)
    {
        var targets = new double[labels.Length * classes];
        for (int row = 0; row < labels.Length; row++)
            targets[row * classes + labels[row]] = 1;
        return targets;
    }

    /// <summary>Computes the loss [1] and the logarithm of each row's sum of exponentials [rows].</summary>
    public static void Forward(double[] x, double[] targets, double[] loss, double[] logSum)
    {
        int rows = logSum.Length, classes = x.Length / rows;
        loss[0] = 0;
        for (int row = 0; row < rows; row++)
        {
            double[] all = x[(row * classes)..((row + 1) * classes)];
            double max = all.Max();
            logSum[row] = max + Math.Log(all.Sum(value => Math.Exp(value - max)));
            for (int c = 0; c < classes; c++)
                loss[0] += targets[row * classes + c] * (logSum[row] - all[c]) / rows;
        }
    }

    /// <summary>Adds dloss / rows (sum of t softmax(x) - t) to dx.</summary>
    public static void Backward(double[] x, double[] targets, double[] logSum, double[] dloss, double[] dx)
    {
        int rows = logSum.Length, classes = x.Length / rows;
        for (int row = 0; row < rows; row++)
        {
            double mass = targets[(row * classes)..((row + 1) * classes)].Sum();
            for (int i = row * classes; i < (row + 1) * classes; i++)
                dx[i] += dloss[0] / rows * (mass * Math.Exp(x[i] - logSum[row]) - targets[i]);
        }
    }
}
