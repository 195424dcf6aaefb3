using System.Numerics.Tensors;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Cast
{
    private static void ForwardHost(DeviceArray x, DeviceArray y)
    {
        switch (x.Type, y.Type)
        {
            case (ElementType.Float32, ElementType.Float16):
                TensorPrimitives.ConvertToHalf(x.AsSpan<float>(), y.AsSpan<Half>());
                break;
            case (ElementType.Float16, ElementType.Float32):
                TensorPrimitives.ConvertToSingle(x.AsSpan<Half>(), y.AsSpan<float>());
                break;
            case (ElementType.Float32, ElementType.BFloat16):
                BFloat16.ToBits(x.AsSpan<float>(), y.AsSpan<ushort>());
                break;
            case (ElementType.BFloat16, ElementType.Float32):
                BFloat16.FromBits(x.AsSpan<ushort>(), y.AsSpan<float>());
                break;
            default:
                x.Device.Copy(x, y);
                break;
        }
    }
}
