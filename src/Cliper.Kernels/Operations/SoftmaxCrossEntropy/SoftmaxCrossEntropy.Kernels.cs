using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class SoftmaxCrossEntropy
{
    // A label outside the classes makes its row's loss NaN: reading it back to say where would stop the device.
    [DeviceCode]
    private static void ForwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft, GlobalPtrFp32 losses, GlobalPtrFp32 logSum, int rows, int classes)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * classes;
        float largest = float.NegativeInfinity, sum = 0, loss = 0;
        for (int c = lane; c < classes; c += 32)
            largest = Ptx.Max(largest, logits.Load(first + c));
        largest = Ptx.WarpMax(largest);
        for (int c = lane; c < classes; c += 32)
            sum += Ptx.Exp2((logits.Load(first + c) - largest) * Log2OfE);
        float z = largest + Ptx.Log2(Ptx.WarpSum(sum)) * LogOf2;
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
        if (lane != 0)
            return;
        losses.Store(row, loss / rows);
        logSum.Store(row, z);
    }

    [DeviceCode]
    private static void BackwardKernel(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft, GlobalPtrFp32 logSum, GlobalPtrFp32 dloss, GlobalPtrFp32 dlogits,
        int accumulate, int rows, int classes)
    {
        int row = Grid.IdxX * WarpsOfBlock + (Group.IdxX >> 5), lane = Group.IdxX & 31;
        if (row >= rows)
            return;
        long first = (long)row * classes;
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
