using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Add
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y) =>
        ElementwiseKernels.Run<ElementwiseKernels.Sum>(gpu, a, b, y);
}
