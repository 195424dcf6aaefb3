using Kernel = Cliper.Kernels.Operations.Sum;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// The length of all gradients taken as one vector, and the factor that brings it down to a maximum. The factor goes to the
/// optimiser's step, which saves a pass over the gradients.
/// </summary>
public static class GradientClipping
{
    /// <summary>What <see cref="Measure"/> found.</summary>
    /// <param name="Norm">Length of the gradients; NaN or infinite when any of them is (or overflows squared).</param>
    /// <param name="Factor">1, or maximum / norm where the norm is above the maximum; divided by the loss's scale.</param>
    public readonly record struct Measurement(double Norm, float Factor)
    {
        /// <summary>Whether the step may be taken; otherwise skip it and count it.</summary>
        public bool IsFinite => double.IsFinite(Norm);
    }

    /// <summary>
    /// Measures the gradients of those parameters that have one, in their order: the bits do not depend on the threads.
    /// </summary>
    /// <param name="parameters">On one device; those without a gradient count as zero.</param>
    /// <param name="maximum">Largest norm wanted; infinity measures only.</param>
    /// <param name="scale">What the loss was multiplied with: the norm is that of the gradients divided by it.</param>
    public static Measurement Measure(IEnumerable<Tensor> parameters, double maximum = double.PositiveInfinity, double scale = 1)
    {
        if (!(maximum > 0))
            throw new ArgumentOutOfRangeException(nameof(maximum), maximum, "the maximum is above zero");
        Tensor[] present = [.. parameters.Where(parameter => parameter.HasGradient)];
        if (present.Length == 0)
            return new(0, (float)(1 / scale));
        double norm = Math.Sqrt(Kernel.OfSquares([.. present.Select(parameter => parameter.Gradient)])) / scale;
        return new(norm, (float)((norm > maximum ? maximum / norm : 1) / scale));
    }
}
