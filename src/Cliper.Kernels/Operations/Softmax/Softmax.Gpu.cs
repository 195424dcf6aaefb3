using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Softmax
{
    private const int GpuThreads = 128, WarpsOfBlock = GpuThreads / 32;

    private static readonly KernelFamily
        ForwardKernels = new(typeof(Softmax), nameof(ForwardKernel), "Softmax forward", GpuThreads, 1, 64),
        BackwardKernels = new(typeof(Softmax), nameof(BackwardKernel), "Softmax backward", GpuThreads, 1, 64);

    internal static IEnumerable<GpuKernel> GpuKernels => [.. ForwardKernels.ForEachFloating,
        .. BackwardKernels.ForEachFloating];

    private static void ForwardGpu(GpuDevice gpu, DeviceArray x, DeviceArray y, int rows, int width) =>
        gpu.Run(ForwardKernels[x.Type.PointerType()], new Blocks(Blocks.Cover(rows, WarpsOfBlock)), x, y, rows, width);

    private static void BackwardGpu(GpuDevice gpu, DeviceArray y, DeviceArray dy, GradientTarget dx, int rows,
        int width) =>
        gpu.Run(BackwardKernels[y.Type.PointerType()], new Blocks(Blocks.Cover(rows, WarpsOfBlock)), y, dy, dx.Array,
            rows, width, dx.Accumulate);
}
