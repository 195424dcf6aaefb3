using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

public static partial class SoftmaxCrossEntropy
{
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    private static readonly GpuKernel ForwardRows =
        new(((Action<GlobalPtrFp32, GlobalPtrInt32, GlobalPtrFp32, GlobalPtrFp32, GlobalPtrFp32, int, int>)ForwardRow).Method, "SoftmaxCrossEntropy forward", GpuThreads, 1, 64);

    private static readonly GpuKernel BackwardRows =
        new(((Action<GlobalPtrFp32, GlobalPtrInt32, GlobalPtrFp32, GlobalPtrFp32, GlobalPtrFp32, GlobalPtrFp32, int, int, int>)BackwardRow).Method, "SoftmaxCrossEntropy backward",
            GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardRows, BackwardRows];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray targets, DeviceArray loss, DeviceArray logSum, int rows,
        int classes)
    {
        (DeviceArray labels, DeviceArray soft) = Split(targets);
        DeviceArray losses = gpu.Allocate(rows);
        gpu.Run(ForwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), logits, labels, soft, losses, logSum, rows, classes);
        Sum.Forward(losses, loss);
        gpu.Free(losses);
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray targets, DeviceArray logSum, DeviceArray dloss,
        DeviceArray dlogits, bool accumulate, int rows, int classes)
    {
        (DeviceArray labels, DeviceArray soft) = Split(targets);
        gpu.Run(BackwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), logits, labels, soft, logSum, dloss, dlogits, accumulate, rows,
            classes);
    }

    private static (DeviceArray Labels, DeviceArray Soft) Split(DeviceArray targets) =>
        targets.Type == ElementType.Int32 ? (targets, default) : (default, targets);

    // A label outside the classes makes its row's loss NaN: reading it back to say where would stop the device.
    private static void ForwardRow(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft, GlobalPtrFp32 losses, GlobalPtrFp32 logSum, int rows, int classes)
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

    private static void BackwardRow(GlobalPtrFp32 logits, GlobalPtrInt32 labels, GlobalPtrFp32 soft, GlobalPtrFp32 logSum, GlobalPtrFp32 dloss, GlobalPtrFp32 dlogits,
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
