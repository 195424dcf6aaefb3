using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

public static partial class Add
{
    private static void ForwardGpu(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y) =>
        ElementLoop.Run<ElementLoop.Sum>(gpu, a, b, y);
}
