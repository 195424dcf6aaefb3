namespace Cliper.References;

/// <summary>One step of gradient descent with momentum, the weight decay added to the gradient.</summary>
internal static class SgdUpdateReference
{
    /// <summary>The hyperparameters.</summary>
    public readonly record struct Settings(double Momentum, double Rate, double Decay);

    /// <summary>Steps parameters and velocities in place; the gradient is multiplied by scale.</summary>
    public static void Step(double[] p, double[] g, double[] v, Settings settings, double scale)
    {
        for (int i = 0; i < p.Length; i++)
        {
            v[i] = settings.Momentum * v[i] + g[i] * scale + settings.Decay * p[i];
            p[i] -= settings.Rate * v[i];
        }
    }
}
