namespace Cliper.References;

/// <summary>The length of all gradients together over the loss's scale, and the factor that clips it.</summary>
internal static class GradientNormReference
{
    /// <summary>The norm, and min(1, maximum / norm) / scale; a norm of zero is not clipped.</summary>
    public static (double Norm, double Factor) Measure(IEnumerable<float[]> gradients, double maximum, double scale)
    {
        double norm = Math.Sqrt(gradients.Sum(part => part.Sum(value => (double)value * value))) / scale;
        return (norm, (norm > maximum ? maximum / norm : 1) / scale);
    }
}
