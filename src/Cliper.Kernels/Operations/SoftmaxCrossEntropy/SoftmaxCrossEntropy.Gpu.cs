using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class SoftmaxCrossEntropy
{
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    private static readonly GpuKernel ForwardRows =
        new(typeof(SoftmaxCrossEntropy), nameof(ForwardKernel), "SoftmaxCrossEntropy forward", GpuThreads, 1, 64);

    private static readonly GpuKernel BackwardRows =
        new(typeof(SoftmaxCrossEntropy), nameof(BackwardKernel), "SoftmaxCrossEntropy backward",
            GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardRows, BackwardRows];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray targets, DeviceArray loss,
        DeviceArray logSum, int rows, int classes)
    {
        (DeviceArray labels, DeviceArray soft) = Split(targets);
        DeviceArray losses = gpu.Allocate(rows);
        gpu.Run(ForwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), logits, labels, soft, losses, logSum, rows,
            classes);
        Sum.Forward(losses, loss);
        gpu.Free(losses);
    }

    private static void BackwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray targets, DeviceArray logSum,
        DeviceArray dloss, GradientTarget dlogits, int classes)
    {
        int rows = checked((int)logSum.Length);
        (DeviceArray labels, DeviceArray soft) = Split(targets);
        gpu.Run(BackwardRows, new Blocks(Blocks.Cover(rows, WarpsOfBlock)), logits, labels, soft, logSum, dloss,
            dlogits.Array, dlogits.Accumulate, rows, classes);
    }

    private static (DeviceArray Labels, DeviceArray Soft) Split(DeviceArray targets) =>
        targets.Type == ElementType.Int32 ? (targets, default) : (default, targets);
}
