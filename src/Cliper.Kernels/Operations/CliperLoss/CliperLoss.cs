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
    /// <summary>Sizes of a batch of logits.</summary>
    /// <param name="Batch">Samples.</param>
    /// <param name="Classes">K.</param>
    /// <param name="Subclasses">M.</param>
    public readonly record struct Sizes(int Batch, int Classes, int Subclasses)
    {
        /// <summary>Logits of a sample.</summary>
        internal int Width => checked(Classes * Subclasses);
    }

    /// <summary>The modulating factors and what they are made of, which the forward pass leaves.</summary>
    /// <param name="Alpha">Modulating factors, [batch].</param>
    /// <param name="Nearest">int32, nearest own subclass of every sample, [batch].</param>
    /// <param name="Counts">int32 n, [classes * subclasses]; the backward pass does not read it.</param>
    public readonly record struct Modulation(DeviceArray Alpha, DeviceArray Nearest, DeviceArray Counts);

    /// <summary>Both losses and what they are made of.</summary>
    /// <param name="logits">s, [batch, classes * subclasses].</param>
    /// <param name="labels">int32 [batch], each in [0, classes).</param>
    /// <param name="losses">fine and margin, [2].</param>
    /// <param name="modulation">The modulating factors and what they are made of.</param>
    /// <param name="sizes">Sizes of all these, with at least one sample.</param>
    /// <param name="rule">The count of an empty subclass.</param>
    /// <param name="modulates">Whether alpha is as the formula has it; 1 for every sample otherwise, which leaves plain
    /// cross-entropies.</param>
    /// <exception cref="ArgumentOutOfRangeException">A label outside the classes; the message names its
    /// row.</exception>
    public static void Forward(DeviceArray logits, DeviceArray labels, DeviceArray losses, Modulation modulation,
        Sizes sizes, EmptySubclasses rule, bool modulates = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Batch, 1, "batch");
        CheckShared(logits, labels, modulation, sizes);
        Check.Length(losses, 2, nameof(losses));
        Check.Length(modulation.Counts, sizes.Width, "counts", ElementType.Int32);
        switch (logits.Device)
        {
            case CpuDevice: ForwardHost(logits, labels, losses, modulation, sizes, rule, modulates); break;
            case GpuDevice gpu:
                ForwardGpu(gpu, logits, labels, losses, modulation, sizes,
                CountingOf(rule, modulates)); break;
            default: throw Check.NoImplementation(nameof(CliperLoss), logits.Device);
        }
    }

    /// <summary>Gradient by the logits.</summary>
    /// <param name="logits">s, [batch, classes * subclasses].</param>
    /// <param name="labels">int32 [batch].</param>
    /// <param name="modulation">The values that the forward pass left.</param>
    /// <param name="dlosses">Gradients by fine and margin, [2].</param>
    /// <param name="dlogits">Gradient by the logits, [batch, classes * subclasses].</param>
    /// <param name="sizes">Sizes of all these.</param>
    public static void Backward(DeviceArray logits, DeviceArray labels, Modulation modulation, DeviceArray dlosses,
        GradientTarget dlogits, Sizes sizes)
    {
        CheckShared(logits, labels, modulation, sizes);
        Check.Length(dlosses, 2, nameof(dlosses));
        Check.Length(dlogits.Array, logits.Length, nameof(dlogits));
        switch (logits.Device)
        {
            case CpuDevice host: BackwardHost(host, logits, labels, modulation, dlosses, dlogits, sizes); break;
            case GpuDevice gpu: BackwardGpu(gpu, logits, labels, modulation, dlosses, dlogits, sizes); break;
            default: throw Check.NoImplementation(nameof(CliperLoss), logits.Device);
        }
    }

    private static Counting CountingOf(EmptySubclasses rule, bool modulates) => !modulates ? Counting.None
        : rule == EmptySubclasses.LeftOut ? Counting.LeftOut : Counting.MinusOneNinetyNinth;

    /// <summary>How counts make alpha, as device code gets it.</summary>
    private enum Counting
    {
        MinusOneNinetyNinth,
        LeftOut,

        /// <summary>They do not: alpha is 1.</summary>
        None,
    }

    private static void CheckShared(DeviceArray logits, DeviceArray labels, Modulation modulation, Sizes sizes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Classes, 1, "classes");
        ArgumentOutOfRangeException.ThrowIfLessThan(sizes.Subclasses, 1, "subclasses");
        Check.Length(logits, (long)sizes.Batch * sizes.Width, nameof(logits));
        Check.Length(labels, sizes.Batch, nameof(labels), ElementType.Int32);
        Check.Length(modulation.Alpha, sizes.Batch, "alpha");
        Check.Length(modulation.Nearest, sizes.Batch, "nearest", ElementType.Int32);
    }
}
