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
        Modulation modulation, Sizes sizes, Counting counting) =>
        gpu.Run(ForwardBatches, new Blocks(1), logits, labels, losses, modulation.Alpha, modulation.Nearest,
            modulation.Counts, sizes.Batch, sizes.Classes, sizes.Subclasses, (int)counting);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray logits, DeviceArray labels, Modulation modulation,
        DeviceArray dlosses, GradientTarget dlogits, Sizes sizes) =>
        gpu.Run(BackwardSamples, new Blocks(Blocks.Cover(sizes.Batch, GpuThreads)), logits, labels, modulation.Alpha,
            modulation.Nearest, dlosses, dlogits.Array, dlogits.Accumulate, sizes.Batch, sizes.Classes,
            sizes.Subclasses);
}
