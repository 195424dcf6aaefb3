using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// CLIPER's two losses (arXiv 2303.00193, section 3.3) over logits s[b, k, m] = cosine / temperature, for sample b of
/// class y:
/// <list type="bullet">
/// <item>nearest j = argmax over m of s[b, y, m]; n[k, m] counts the samples of class k whose nearest is m;</item>
/// <item>alpha[b] = (sum of n[y]) softmax(1 / n[y])[j] / n[y, j], a constant for the gradient;</item>
/// <item>fine = mean over b of alpha[b] times the cross-entropy of s[b, y, j] against itself and all s[b, k, m] with k
/// not y;</item>
/// <item>margin = mean over b of the cross-entropy over K logits: the minimum of class y, the maximum of each other
/// class.</item>
/// </list>
/// Ties go to the lowest index. The gradient flows to s[b, y, j] and to the minimum and maxima only, not through alpha.
/// </summary>
/// <remarks>
/// Computed in double on the host, in fp32 on a GPU: a batch has a few thousand logits. A NaN logit makes both losses
/// NaN.
/// </remarks>
public static partial class CliperLoss
{
    /// <summary>Both losses and what they are made of.</summary>
    /// <param name="logits">s, [batch, classes * subclasses].</param>
    /// <param name="labels">int32 [batch], each in [0, classes).</param>
    /// <param name="losses">fine and margin, [2].</param>
    /// <param name="alpha">Modulating factors, [batch].</param>
    /// <param name="nearest">int32, nearest own subclass of every sample, [batch].</param>
    /// <param name="counts">int32 n, [classes * subclasses].</param>
    /// <param name="batch">Samples, at least one.</param>
    /// <param name="classes">K.</param>
    /// <param name="subclasses">M.</param>
    /// <param name="rule">The count of an empty subclass.</param>
    /// <exception cref="ArgumentOutOfRangeException">A label outside the classes; the message names its
    /// row.</exception>
    public static void Forward(DeviceArray logits, DeviceArray labels, DeviceArray losses, DeviceArray alpha,
        DeviceArray nearest, DeviceArray counts, int batch, int classes, int subclasses, EmptySubclasses rule)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batch, 1);
        CheckShared(logits, labels, alpha, nearest, batch, classes, subclasses);
        Check.Length(losses, 2, nameof(losses));
        Check.Length(counts, (long)classes * subclasses, nameof(counts), ElementType.Int32);
        switch (logits.Device)
        {
            case CpuDevice:
                ForwardHost(logits, labels, losses, alpha, nearest, counts, batch, classes, subclasses,
                rule); break;
            case GpuDevice gpu:
                ForwardGpu(gpu, logits, labels, losses, alpha, nearest, counts, batch, classes,
                subclasses, rule); break;
            default: throw Check.NoImplementation(nameof(CliperLoss), logits.Device);
        }
    }

    /// <summary>Gradient by the logits.</summary>
    /// <param name="logits">s, [batch, classes * subclasses].</param>
    /// <param name="labels">int32 [batch].</param>
    /// <param name="alpha">The values that the forward pass left, [batch].</param>
    /// <param name="nearest">The values that the forward pass left, int32 [batch].</param>
    /// <param name="dlosses">Gradients by fine and margin, [2].</param>
    /// <param name="dlogits">Gradient by the logits, [batch, classes * subclasses].</param>
    /// <param name="accumulate">Whether to add to <paramref name="dlogits"/>.</param>
    /// <param name="batch">Samples.</param>
    /// <param name="classes">K.</param>
    /// <param name="subclasses">M.</param>
    public static void Backward(DeviceArray logits, DeviceArray labels, DeviceArray alpha, DeviceArray nearest,
        DeviceArray dlosses, DeviceArray dlogits, bool accumulate, int batch, int classes, int subclasses)
    {
        CheckShared(logits, labels, alpha, nearest, batch, classes, subclasses);
        Check.Length(dlosses, 2, nameof(dlosses));
        Check.Length(dlogits, logits.Length, nameof(dlogits));
        switch (logits.Device)
        {
            case CpuDevice host:
                BackwardHost(host, logits, labels, alpha, nearest, dlosses, dlogits, accumulate, batch, classes,
                    subclasses);
                break;
            case GpuDevice gpu:
                BackwardGpu(gpu, logits, labels, alpha, nearest, dlosses, dlogits, accumulate, batch, classes,
                    subclasses);
                break;
            default: throw Check.NoImplementation(nameof(CliperLoss), logits.Device);
        }
    }

    private static void CheckShared(DeviceArray logits, DeviceArray labels, DeviceArray alpha, DeviceArray nearest,
        int batch, int classes, int subclasses)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(subclasses, 1);
        Check.Length(logits, (long)batch * classes * subclasses, nameof(logits));
        Check.Length(labels, batch, nameof(labels), ElementType.Int32);
        Check.Length(alpha, batch, nameof(alpha));
        Check.Length(nearest, batch, nameof(nearest), ElementType.Int32);
    }
}
