using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The same numbers in another type, fp32, fp16 or bf16; rounded to nearest, beyond fp16's 65504 infinite.
/// </summary>
public static partial class Cast
{
    /// <summary>y = x.</summary>
    /// <param name="x">fp32, fp16 or bf16, any length.</param>
    /// <param name="y">The same length, and any of these types where <paramref name="x"/> is fp32, else fp32 or
    /// the type of
    /// <paramref name="x"/>; not <paramref name="x"/> itself.</param>
    public static void Forward(DeviceArray x, DeviceArray y)
    {
        Check.Length(x, x.Length, nameof(x), Checked(x, nameof(x)));
        Check.Length(y, x.Length, nameof(y), Checked(y, nameof(y)));
        if (x.Type != y.Type && x.Type != ElementType.Float32 && y.Type != ElementType.Float32)
            throw new ArgumentException($"y is {y.Type}, expected {ElementType.Float32} or {x.Type}", nameof(y));
        switch (x.Device)
        {
            case CpuDevice: ForwardHost(x, y); break;
            case GpuDevice gpu: ElementwiseKernels.Run<ElementwiseKernels.Same>(gpu, x, default, y); break;
            default: throw Check.NoImplementation(nameof(Cast), x.Device);
        }
    }

    private static ElementType Checked(DeviceArray array, string name) =>
        array.IsNull || array.Type is ElementType.Float32 or ElementType.Float16 or ElementType.BFloat16
            ? array.Type
            : throw new ArgumentException(
                $"{name} is {array.Type}, expected {ElementType.Float32} or a 16-bit format", name);
}
