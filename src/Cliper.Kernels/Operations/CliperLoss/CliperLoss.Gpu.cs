using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class CliperLoss
{
    // One block: a batch has a few thousand logits, and every sample's factor needs the counts of all.
    private const int GpuThreads = 256;
    private const float Log2OfE = 1.44269504f, LogOf2 = 0.69314718f;

    private static readonly GpuKernel ForwardBatches = new(
        typeof(CliperLoss), nameof(ForwardKernel), "CliperLoss forward",
        GpuThreads, 1, 96);

    private static readonly GpuKernel BackwardSamples = new(
        typeof(CliperLoss), nameof(BackwardKernel), "CliperLoss backward",
        GpuThreads, 1, 96);

    internal static IEnumerable<GpuKernel> GpuKernels => [ForwardBatches, BackwardSamples];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray labels, DeviceArray losses,
        DeviceArray alpha, DeviceArray nearest, DeviceArray counts, int batch, int classes, int subclasses,
        EmptySubclasses rule) =>
        gpu.Run(ForwardBatches, new Blocks(1), logits, labels, losses, alpha, nearest, counts, batch, classes,
            subclasses, rule == EmptySubclasses.LeftOut);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray labels, DeviceArray alpha,
        DeviceArray nearest, DeviceArray dlosses, DeviceArray dlogits, bool accumulate, int batch, int classes,
        int subclasses) =>
        gpu.Run(BackwardSamples, new Blocks(Blocks.Cover(batch, GpuThreads)), logits, labels, alpha, nearest, dlosses,
            dlogits, accumulate, batch, classes, subclasses);
}
