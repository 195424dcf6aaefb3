using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Stochastic gradient descent with momentum and coupled weight decay, many tensors in one call, each read and written
/// once. With gradient g (times a common factor):
/// <code>
/// v = momentum v + (g + decay p)          p = p - rate v
/// </code>
/// the order and form of PyTorch's SGD without dampening and Nesterov, whose first velocity is the gradient itself. A
/// NaN or infinite gradient spoils its own element for good, unless the common factor is 0.
/// </summary>
public static partial class SgdUpdate
{
    /// <summary>One tensor of a step.</summary>
    /// <param name="Parameter">p, fp32.</param>
    /// <param name="Gradient">g, of the same length.</param>
    /// <param name="Velocity">v, of the same length; zeros before the first step.</param>
    /// <param name="LearningRate">rate.</param>
    /// <param name="WeightDecay">decay.</param>
    /// <param name="Copy">p once more in the GPU's 16-bit format, of the same length, or null: what products read
    /// there.</param>
    public readonly record struct Slot(DeviceArray Parameter, DeviceArray Gradient, DeviceArray Velocity,
        float LearningRate, float WeightDecay, DeviceArray Copy = default);

    /// <summary>Updates all tensors in place.</summary>
    /// <param name="slots">The tensors.</param>
    /// <param name="momentum">Factor of the velocity, in [0, 1).</param>
    /// <param name="gradientScale">Factor of every gradient, one element where the tensors are, such as
    /// <see cref="GradientNorm"/> leaves it; null for 1. Where it is 0 nothing is written.</param>
    public static void Step(ReadOnlySpan<Slot> slots, float momentum, DeviceArray gradientScale = default)
    {
        for (int index = 0; index < slots.Length; index++)
        {
            Slot slot = slots[index];
            long length = slot.Parameter.Length;
            Check.Length(slot.Parameter, length, $"parameter {index}");
            Check.Length(slot.Gradient, length, $"gradient {index}");
            Check.Length(slot.Velocity, length, $"velocity {index}");
            DeviceArray copy = slot.Copy;
            if (!copy.IsNull && (copy.Device is not GpuDevice || copy.Type != copy.Device.Activations
                || copy.Length != length))
                throw new ArgumentException(
                    $"the copy of parameter {index} is {copy.Length} of {copy.Type} on {copy.Device.Name}, "
                    + $"expected {length} on a GPU, of the type of its activations", nameof(slots));
        }
        Check.OptionalLength(gradientScale, 1, nameof(gradientScale));
        if (slots.IsEmpty)
            return;
        switch (slots[0].Parameter.Device)
        {
            case CpuDevice host: StepHost(host, slots, momentum, gradientScale); break;
            case GpuDevice gpu: StepGpu(gpu, slots, momentum, gradientScale); break;
            default: throw Check.NoImplementation(nameof(SgdUpdate), slots[0].Parameter.Device);
        }
    }
}
