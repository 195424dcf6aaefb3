using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>Element-wise sum: y = a + b. Backward: da = db = dy. A NaN stays in its place.</summary>
public static partial class Add
{
    /// <summary>y = a + b.</summary>
    /// <param name="a">Any length.</param>
    /// <param name="b">The same length.</param>
    /// <param name="y">The same length; may be either operand.</param>
    public static void Forward(DeviceArray a, DeviceArray b, DeviceArray y)
    {
        Check.Length(a, a.Length, nameof(a));
        Check.Length(b, a.Length, nameof(b));
        Check.Length(y, a.Length, nameof(y));
        switch (a.Device)
        {
            case CpuDevice host: ForwardHost(host, a, b, y); break;
            case GpuDevice gpu: ForwardGpu(gpu, a, b, y); break;
            default: throw Check.NoImplementation(nameof(Add), a.Device);
        }
    }

    /// <summary>dx = dy.</summary>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="dx">Gradient by either operand, of the same length.</param>
    public static void Backward(DeviceArray dy, GradientTarget dx)
    {
        if (dx.Accumulate)
            Forward(dy, dx.Array, dx.Array);
        else
            dy.Device.Copy(dy, dx.Array);
    }
}
