using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2), many tensors in one
/// call, each
/// read and written once. In step t of a tensor, with gradient g (times a common factor):
/// <code>
/// p = p (1 - rate decay)
/// m = m + (1 - beta1) (g - m)          v = beta2 v + (1 - beta2) g²
/// p = p - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
/// </code>
/// the order and form of PyTorch's. With <see cref="Settings.RoundsToHalf"/> p, m, v and g are fp16 values, kept in
/// fp32, and each of PyTorch's operations on such tensors (mul; mul, add; mul, addcmul; sqrt, div, add, addcdiv)
/// computes in fp32 and rounds its result to fp16: then v of small gradients and the decay of most weights vanish. A
/// NaN or infinite gradient spoils its own element for good, unless the common factor is 0.
/// </summary>
public static partial class AdamWUpdate
{
    /// <summary>One tensor of a step.</summary>
    /// <param name="Parameter">p, fp32.</param>
    /// <param name="Gradient">g, of the same length.</param>
    /// <param name="First">m, of the same length; zeros before the first step.</param>
    /// <param name="Second">v, of the same length; zeros before the first step.</param>
    /// <param name="Step">t, from 1.</param>
    /// <param name="LearningRate">rate.</param>
    /// <param name="WeightDecay">decay.</param>
    /// <param name="Copy">p once more in the GPU's 16-bit format, of the same length, or null: what products read
    /// there.</param>
    public readonly record struct Slot(DeviceArray Parameter, DeviceArray Gradient, DeviceArray First,
        DeviceArray Second, int Step, float LearningRate, float WeightDecay, DeviceArray Copy = default);

    /// <summary>The numbers that all tensors of a step share.</summary>
    /// <param name="Beta1">Decay of m, in [0, 1).</param>
    /// <param name="Beta2">Decay of v, in [0, 1).</param>
    /// <param name="Epsilon">Added to the root.</param>
    /// <param name="GradientScale">Factor of every gradient, one element where the tensors are, such as
    /// <see cref="GradientNorm"/> leaves it; null for 1. Where it is 0 nothing is written.</param>
    /// <param name="RoundsToHalf">Whether each operation's result is rounded to fp16.</param>
    public readonly record struct Settings(double Beta1, double Beta2, double Epsilon,
        DeviceArray GradientScale = default, bool RoundsToHalf = false);

    /// <summary>Updates all tensors in place.</summary>
    public static void Step(ReadOnlySpan<Slot> slots, Settings settings)
    {
        for (int index = 0; index < slots.Length; index++)
        {
            Slot slot = slots[index];
            long length = slot.Parameter.Length;
            Check.Length(slot.Parameter, length, $"parameter {index}");
            Check.Length(slot.Gradient, length, $"gradient {index}");
            Check.Length(slot.First, length, $"first moment {index}");
            Check.Length(slot.Second, length, $"second moment {index}");
            ArgumentOutOfRangeException.ThrowIfLessThan(slot.Step, 1);
            DeviceArray copy = slot.Copy;
            if (!copy.IsNull && (copy.Device is not GpuDevice || copy.Type != copy.Device.Activations
                || copy.Length != length))
                throw new ArgumentException(
                    $"the copy of parameter {index} is {copy.Length} of {copy.Type} on {copy.Device.Name}, "
                    + $"expected {length} on a GPU, of the type of its activations", nameof(slots));
        }
        Check.OptionalLength(settings.GradientScale, 1, nameof(settings.GradientScale));
        if (slots.IsEmpty)
            return;
        switch (slots[0].Parameter.Device)
        {
            case CpuDevice host: StepHost(host, slots, settings); break;
            case GpuDevice gpu: StepGpu(gpu, slots, settings); break;
            default: throw Check.NoImplementation(nameof(AdamWUpdate), slots[0].Parameter.Device);
        }
    }
}
