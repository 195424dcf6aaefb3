using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Clips by global norm: computes the L2 norm over all gradients and the factor min(1, maximum / norm). The factor
/// stays on the device and is applied inside the fused optimizer step: no extra pass over the gradients, and no
/// synchronization.
/// </summary>
public sealed class GradientClipping : IDisposable
{
    private readonly double _maximum;
    private readonly DeviceArray _result;

    /// <summary>For gradients on <paramref name="device"/>.</summary>
    /// <param name="device">Where they are.</param>
    /// <param name="maximum">Largest norm wanted; infinity measures only.</param>
    public GradientClipping(Device device, double maximum = double.PositiveInfinity)
    {
        if (!(maximum > 0))
            throw new ArgumentOutOfRangeException(nameof(maximum), maximum, "the maximum is above zero");
        (_maximum, _result) = (maximum, device.Allocate(GradientNorm.Results));
    }

    /// <summary>Result of a measurement.</summary>
    /// <param name="Norm">Length of the gradients; NaN or infinite when any of them is (or overflows squared).</param>
    /// <param name="Factor">1, or maximum / norm where the norm is above the maximum; divided by the loss's scale. 0
    /// where the norm is not finite.</param>
    public readonly record struct Measurement(float Norm, float Factor)
    {
        /// <summary>Whether the step was taken; otherwise count it as left out.</summary>
        public bool IsFinite => Factor > 0;
    }

    /// <summary><see cref="Measurement.Factor"/> of the last measurement, one element on the device.</summary>
    public DeviceArray Factor => _result.Slice(1, 1);

    /// <summary>
    /// Measures the gradients of those parameters that have one, in their order.
    /// </summary>
    /// <param name="parameters">Those without a gradient count as zero.</param>
    /// <param name="scale">Factor that the loss was multiplied with, a power of two: the norm is that of the gradients
    /// divided by it.</param>
    public void Measure(IEnumerable<Tensor> parameters, double scale = 1) => GradientNorm.Measure(
        [.. parameters.Where(parameter => parameter.HasGradient).Select(parameter => parameter.Gradient)], _maximum,
            scale, _result);

    /// <summary>Reads the result of the last measurement. Waits for it.</summary>
    public Measurement Read()
    {
        float[] values = _result.Device.ToFloats(_result);
        return new Measurement(values[0], values[1]);
    }

    /// <inheritdoc/>
    public void Dispose() => _result.Device.Free(_result);
}
