using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// The length of many gradients taken as one vector, and the factor that brings it down to a maximum (Pascanu et al.
/// 2013, arXiv 1211.5063, algorithm 1). Both stay on the device, where the optimizer's step reads the factor: nothing
/// waits for them.
/// </summary>
public static partial class GradientNorm
{
    /// <summary>Elements of a result: the norm, then the factor.</summary>
    public const int Results = 2;

    /// <summary>
    /// result[0] = |gradients| / scale; result[1] = min(1, maximum / result[0]) / scale, and 0 where the norm is NaN or
    /// infinite, as it is when an element is, or when squares overflow fp32.
    /// </summary>
    /// <param name="gradients">fp32, on the device of <paramref name="result"/>, of any lengths; none counts as
    /// zero.</param>
    /// <param name="maximum">Largest norm wanted; infinity for any.</param>
    /// <param name="scale">The factor that the gradients have been multiplied with, a power of two.</param>
    /// <param name="result">Two elements.</param>
    public static void Measure(ReadOnlySpan<DeviceArray> gradients, double maximum, double scale, DeviceArray result)
    {
        for (int index = 0; index < gradients.Length; index++)
            Check.Length(gradients[index], gradients[index].Length, $"gradient {index}");
        Check.Length(result, Results, nameof(result));
        switch (result.Device)
        {
            case CpuDevice host: MeasureHost(host, gradients, maximum, scale, result); break;
            case GpuDevice gpu: MeasureGpu(gpu, gradients, maximum, scale, result); break;
            default: throw Check.NoImplementation(nameof(GradientNorm), result.Device);
        }
    }
}
