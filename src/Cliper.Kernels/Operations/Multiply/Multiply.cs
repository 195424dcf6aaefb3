using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Product y = a b, where b has as many elements as a, or one that counts for all. Backward: da = dy b; db = dy a,
/// summed over all elements (in a fixed order) when b has one. A NaN stays in its place, reaches all of y from a b of
/// one element and always its db; zero times infinity is NaN.
/// </summary>
public static partial class Multiply
{
    /// <summary>y = a b.</summary>
    /// <param name="a">Any length.</param>
    /// <param name="b">The same length, or one element.</param>
    /// <param name="y">The length of <paramref name="a"/>; may be either operand of that length.</param>
    public static void Forward(DeviceArray a, DeviceArray b, DeviceArray y) => Product(a, b, y, accumulate: false);

    /// <summary>da = dy b and db = dy a.</summary>
    /// <param name="a">The same as in the forward pass.</param>
    /// <param name="b">The same as in the forward pass.</param>
    /// <param name="dy">Gradient by the output.</param>
    /// <param name="da">Gradient by a; null when not wanted.</param>
    /// <param name="db">Gradient by b, of b's length; null when not wanted.</param>
    public static void Backward(DeviceArray a, DeviceArray b, DeviceArray dy, GradientTarget da,
        GradientTarget db)
    {
        if (!da.IsNull)
            Product(dy, b, da.Array, da.Accumulate);
        if (db.IsNull)
            return;
        if (b.Length == a.Length)
            Product(dy, a, db.Array, db.Accumulate);
        else
            Sum.Products(dy, a, db.Array, db.Accumulate);
    }

    private static void Product(DeviceArray a, DeviceArray b, DeviceArray y, bool accumulate)
    {
        Check.Length(a, a.Length, nameof(a));
        Check.Length(b, b.Length == 1 ? 1 : a.Length, nameof(b));
        Check.Length(y, a.Length, nameof(y));
        switch (a.Device)
        {
            case CpuDevice host: ForwardHost(host, a, b, y, accumulate); break;
            case GpuDevice gpu:
                ElementwiseKernels.Run<ElementwiseKernels.Product>(gpu, a, b, y,
                accumulate: accumulate); break;
            default: throw Check.NoImplementation(nameof(Multiply), a.Device);
        }
    }
}
