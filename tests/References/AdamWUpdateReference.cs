namespace Cliper.References;

/// <summary>One step of AdamW (Loshchilov and Hutter, 2019, algorithm 2): decay apart from the gradient.</summary>
internal static class AdamWUpdateReference
{
    /// <summary>A tensor's parameters, gradient and moments, all of one length, and its steps from 1.</summary>
    public readonly record struct Slot(double[] P, double[] G, double[] M, double[] V, int Step);

    /// <summary>The hyperparameters.</summary>
    public readonly record struct Settings(double Beta1, double Beta2, double Epsilon, double Rate, double Decay);

    /// <summary>Steps the slot's parameters and moments in place; the gradient is multiplied by scale.</summary>
    public static void Step(Slot slot, Settings settings, double scale)
    {
        (double beta1, double beta2, double epsilon, double rate, double decay) = settings;
        (double[] p, double[] g, double[] m, double[] v, int step) = slot;
        for (int i = 0; i < p.Length; i++)
        {
            double gradient = g[i] * scale;
            p[i] *= 1 - rate * decay;
            m[i] = beta1 * m[i] + (1 - beta1) * gradient;
            v[i] = beta2 * v[i] + (1 - beta2) * gradient * gradient;
            p[i] -= rate / (1 - Math.Pow(beta1, step)) * m[i]
                / (Math.Sqrt(v[i] / (1 - Math.Pow(beta2, step))) + epsilon);
        }
    }
}
