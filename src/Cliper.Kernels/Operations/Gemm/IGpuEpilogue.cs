using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// An <see cref="ICpuEpilogue"/> inside a GPU kernel: with v = product + bias, the result is f(v, extra); v itself
/// can be left in the extra array.
/// </summary>
internal interface IGpuEpilogue
{
    /// <summary>Whether a bias is added, where one is given.</summary>
    static abstract bool ReadsBias { get; }

    /// <summary>Whether the extra array is an operand.</summary>
    static abstract bool ReadsExtra { get; }

    /// <summary>Whether v is left in the extra array, where one is given.</summary>
    static abstract bool WritesExtra { get; }

    /// <summary>The result.</summary>
    static abstract float Apply(float value, float extra);
}

/// <summary>What a kernel's epilogue is, and its arrays.</summary>
/// <param name="Kind">A struct that is an <see cref="IGpuEpilogue"/>.</param>
/// <param name="Bias">fp32 [columns]; null for none.</param>
/// <param name="Extra">Of the result's type, [rows, columns]; null for none.</param>
public readonly record struct GpuEpilogue(Type Kind, DeviceArray Bias, DeviceArray Extra)
{
    /// <summary>The product as it is.</summary>
    public static GpuEpilogue None => new(typeof(Plain), default, default);

    /// <summary>v.</summary>
    internal readonly struct Plain : IGpuEpilogue
    {
        public static bool ReadsBias => false;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value;
    }

    /// <summary>v.</summary>
    internal readonly struct Biased : IGpuEpilogue
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value;
    }

    /// <summary>f(v), leaving v.</summary>
    internal readonly struct Activated<TOperation> : IGpuEpilogue where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => false;
        public static bool WritesExtra => true;
        public static float Apply(float value, float extra) => TOperation.Forward(value);
    }

    /// <summary>v + residual.</summary>
    internal readonly struct WithResidual : IGpuEpilogue
    {
        public static bool ReadsBias => true;
        public static bool ReadsExtra => true;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value + extra;
    }

    /// <summary>product f'(pre-activation).</summary>
    internal readonly struct TimesDerivative<TOperation> : IGpuEpilogue where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsBias => false;
        public static bool ReadsExtra => true;
        public static bool WritesExtra => false;
        public static float Apply(float value, float extra) => value * TOperation.Derivative(extra);
    }
}
