using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class SoftmaxCrossEntropy
{
    /// <summary>Each row's cross-entropy over the number of rows, and its log-sum-exp.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. A label outside the
    /// classes makes its row's loss NaN: reading it back to say where would stop the device. Any GPU from compute
    /// capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft,
        GlobalPtrFp32 losses, GlobalPtrFp32 logSum, int rows, int classes)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * classes;

        // (1) Compute the log-sum-exp about the maximum.
        float largest = float.NegativeInfinity, sum = 0, loss = 0;
        for (int c = lane; c < classes; c += 32)
            largest = Ptx.Max(largest, logits.Load(first + c));
        largest = Ptx.WarpMax(largest);
        for (int c = lane; c < classes; c += 32)
            sum += Ptx.Exp2((logits.Load(first + c) - largest) * Log2OfE);
        float z = largest + Ptx.Log2(Ptx.WarpSum(sum)) * LogOf2;

        // (2) Compute the loss: by the label, or by the distribution of the targets.
        if (!labels.IsNull)
        {
            int label = labels.Load(row);
            loss = label >= 0 && label < classes ? z - logits.Load(first + label) : float.NaN;
        }
        else
        {
            for (int c = lane; c < classes; c += 32)
                loss += soft.Load(first + c) * (z - logits.Load(first + c));
            loss = Ptx.WarpSum(loss);
        }

        // (3) Store both.
        if (lane != 0)
            return;
        losses.Store(row, loss / rows);
        logSum.Store(row, z);
    }

    /// <summary>dlogits (+)= (softmax times the sum of the targets - targets) dloss / rows.</summary>
    /// <remarks>
    /// A block has 128 threads, which are 4 warps of one row each; it uses no shared memory. Any GPU from compute
    /// capability 7.0 on.
    /// </remarks>
    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft,
        GlobalPtrFp32 logSum, GlobalPtrFp32 dloss, GlobalPtrFp32 dlogits, int accumulate, int rows, int classes)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * classes;

        // (1) Find the sum of the targets, which is 1 with labels.
        float z = logSum.Load(row), weight = dloss.Load(0) / rows, total = 1;
        int label = -1;
        if (!labels.IsNull)
        {
            label = labels.Load(row);
        }
        else
        {
            total = 0;
            for (int c = lane; c < classes; c += 32)
                total += soft.Load(first + c);
            total = Ptx.WarpSum(total);
        }

        // (2) Store the gradient, or add to it.
        for (int c = lane; c < classes; c += 32)
        {
            float target = c == label ? 1f : 0f;
            if (labels.IsNull)
                target = soft.Load(first + c);
            float d = (Ptx.Exp2((logits.Load(first + c) - z) * Log2OfE) * total - target) * weight;
            dlogits.Store(first + c, accumulate != 0 ? dlogits.Load(first + c) + d : d);
        }
    }
}
