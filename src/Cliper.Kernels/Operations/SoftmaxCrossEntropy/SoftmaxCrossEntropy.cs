using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Mean over rows of the cross-entropy between targets t and softmax(x): with z = log(sum of exp(x)), the row's loss is
/// the sum over c of t[c] (z - x[c]). Targets are either a class a row (int32) or a distribution a row (fp32, summing
/// to 1). Backward: dx = (softmax(x) (sum of t) - t) dloss / rows. No gradient flows to the targets.
/// </summary>
/// <remarks>
/// A NaN or infinite logit makes its own row's loss and gradient NaN, and so the mean. The maximum is taken out before
/// exponentials, so finite logits of any size are safe.
/// </remarks>
public static partial class SoftmaxCrossEntropy
{
    /// <summary>The loss.</summary>
    /// <param name="logits">x, [rows, classes].</param>
    /// <param name="targets">int32 [rows], each in [0, classes), or fp32 [rows, classes].</param>
    /// <param name="loss">One element.</param>
    /// <param name="logSum">z of every row for the backward pass, [rows].</param>
    /// <param name="rows">Number of rows, at least one.</param>
    /// <param name="classes">Number of classes, at least one.</param>
    /// <exception cref="ArgumentOutOfRangeException">A class outside the range; the message names row and
    /// class.</exception>
    public static void Forward(DeviceArray logits, DeviceArray targets, DeviceArray loss, DeviceArray logSum, int rows,
        int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        Check.Length(logits, (long)rows * classes, nameof(logits));
        CheckTargets(targets, rows, classes);
        Check.Length(loss, 1, nameof(loss));
        Check.Length(logSum, rows, nameof(logSum));
        switch (logits.Device)
        {
            case CpuDevice host: ForwardHost(host, logits, targets, loss, logSum, rows, classes); break;
            case GpuDevice gpu: ForwardGpu(gpu, logits, targets, loss, logSum, rows, classes); break;
            default: throw Check.NoImplementation(nameof(SoftmaxCrossEntropy), logits.Device);
        }
    }

    /// <summary>dx = (softmax(x) (sum of t) - t) dloss / rows.</summary>
    /// <param name="logits">x, [rows, classes].</param>
    /// <param name="targets">The same as in the forward pass.</param>
    /// <param name="logSum">The values that the forward pass left, [rows].</param>
    /// <param name="dloss">Gradient by the loss, one element.</param>
    /// <param name="dlogits">Gradient by the logits, [rows, classes].</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="classes">Number of classes.</param>
    public static void Backward(DeviceArray logits, DeviceArray targets, DeviceArray logSum, DeviceArray dloss,
        GradientTarget dlogits, int rows, int classes)
    {
        Check.Length(logits, (long)rows * classes, nameof(logits));
        CheckTargets(targets, rows, classes);
        Check.Length(logSum, rows, nameof(logSum));
        Check.Length(dloss, 1, nameof(dloss));
        Check.Length(dlogits.Array, (long)rows * classes, nameof(dlogits));
        switch (logits.Device)
        {
            case CpuDevice host: BackwardHost(host, logits, targets, logSum, dloss, dlogits, classes); break;
            case GpuDevice gpu: BackwardGpu(gpu, logits, targets, logSum, dloss, dlogits, classes); break;
            default: throw Check.NoImplementation(nameof(SoftmaxCrossEntropy), logits.Device);
        }
    }

    private static void CheckTargets(DeviceArray targets, int rows, int classes)
    {
        if (targets.Type == ElementType.Int32)
            Check.Length(targets, rows, nameof(targets), ElementType.Int32);
        else
            Check.Length(targets, (long)rows * classes, nameof(targets));
    }
}
