using System.Runtime.InteropServices;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Philox
{
    // Drawn on the host: only initial values are, once a run.
    private static void FillGpu<TDraw>(TDraw draw, DeviceArray y, ulong seed, RandomPurpose purpose, uint step,
        uint stream)
        where TDraw : struct, IDraw
    {
        using var host = new CpuDevice(1);
        DeviceArray values = host.Allocate(y.Length);
        FillHost(host, draw, values, seed, purpose, step, stream);
        y.Device.Upload(MemoryMarshal.AsBytes(values.AsSpan<float>()), y);
        host.Free(values);
    }
}
