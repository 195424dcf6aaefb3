using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// An <see cref="ICpuEpilogue"/> inside a GPU kernel: with v = A B + bias, an element of C is f(v, extra); v itself,
/// the pre-activation, can be stored in the extra array.
/// </summary>
internal interface IGpuEpilogue
{
    /// <summary>Whether a bias is added when one is given.</summary>
    static abstract bool ReadsBias { get; }

    /// <summary>Whether the extra array is an operand.</summary>
    static abstract bool ReadsExtra { get; }

    /// <summary>Whether v is stored in the extra array when one is given.</summary>
    static abstract bool WritesExtra { get; }

    /// <summary>f(v, extra).</summary>
    static abstract float Apply(float value, float extra);
}

/// <summary>The epilogue of a GEMM kernel with its arrays.</summary>
/// <param name="Kind">A struct that is an <see cref="IGpuEpilogue"/>.</param>
/// <param name="Bias">fp32 [columns]; null for none.</param>
/// <param name="Extra">Array of the result's type, [rows, columns]; null for none.</param>
public readonly record struct GpuEpilogue(Type Kind, DeviceArray Bias, DeviceArray Extra)
{
    /// <summary>No epilogue: C = A B.</summary>
    public static GpuEpilogue None => new(typeof(Plain), default, default);

    /// <summary>v = A B.</summary>
    [DeviceCode]
    internal readonly struct Plain : IGpuEpilogue
    {
        public static bool ReadsBias => false;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value;
    }

    /// <summary>v = A B + bias.</summary>
    [DeviceCode]
    internal readonly struct Biased : IGpuEpilogue
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value;
    }

    /// <summary>f(v); stores v.</summary>
    [DeviceCode]
    internal readonly struct Activated<TOperation> : IGpuEpilogue where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => true;
        public static float Apply(float value, float extra) => TOperation.Forward(value);
    }

    /// <summary>v + residual.</summary>
    [DeviceCode]
    internal readonly struct WithResidual : IGpuEpilogue
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => true;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value + extra;
    }

    /// <summary>A B * f'(pre-activation), the pre-activation being the extra array.</summary>
    [DeviceCode]
    internal readonly struct TimesDerivative<TOperation> : IGpuEpilogue where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsBias => false;
        public static bool ReadsExtra => true;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value * TOperation.Derivative(extra);
    }
}
