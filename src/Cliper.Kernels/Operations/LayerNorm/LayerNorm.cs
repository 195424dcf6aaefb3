using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Layer normalization of rows (Ba, Kiros, Hinton 2016, arXiv 1607.06450): with mean and variance (divided by width) of
/// a row x, y = (x - mean) * rstd * gamma + beta, rstd = 1 / sqrt(variance + epsilon). Statistics in fp32, in two
/// passes.
/// </summary>
/// <remarks>A NaN or infinity makes its own row NaN and no other.</remarks>
public static partial class LayerNorm
{
    /// <summary>CLIP's epsilon.</summary>
    public const float DefaultEpsilon = 1e-5f;

    /// <summary>The learned scale and shift of the normalized elements.</summary>
    /// <param name="Gamma">Scale, [width].</param>
    /// <param name="Beta">Shift, [width].</param>
    public readonly record struct Affine(DeviceArray Gamma, DeviceArray Beta);

    /// <summary>Statistics of the rows, which the forward pass leaves for the backward pass.</summary>
    /// <param name="Mean">Row means, [rows].</param>
    /// <param name="Rstd">Row reciprocal standard deviations, [rows].</param>
    public readonly record struct Statistics(DeviceArray Mean, DeviceArray Rstd);

    /// <summary>Where the gradients go; each may be no target.</summary>
    /// <param name="X">Gradient by the input, [rows, width]; may be dy when not accumulated.</param>
    /// <param name="Gamma">Gradient by gamma, [width].</param>
    /// <param name="Beta">Gradient by beta, [width].</param>
    public readonly record struct Gradients(GradientTarget X, GradientTarget Gamma, GradientTarget Beta);

    /// <summary>Normalizes each row.</summary>
    /// <param name="x">Input, [rows, width].</param>
    /// <param name="affine">Scale and shift.</param>
    /// <param name="y">Output, [rows, width]; may be <paramref name="x"/>.</param>
    /// <param name="statistics">Statistics for the backward pass; its arrays may be null.</param>
    /// <param name="shape">Rows and width.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public static void Forward(DeviceArray x, Affine affine, DeviceArray y, Statistics statistics, RowShape shape,
        float epsilon = DefaultEpsilon)
    {
        Check.Length(x, shape.Count, nameof(x));
        Check.Length(y, shape.Count, nameof(y));
        Check.Length(affine.Gamma, shape.Width, "gamma");
        Check.Length(affine.Beta, shape.Width, "beta");
        Check.OptionalLength(statistics.Mean, shape.Rows, "mean");
        Check.OptionalLength(statistics.Rstd, shape.Rows, "rstd");
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, affine, y, statistics, shape, epsilon); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, affine, y, statistics, shape, epsilon); break;
            default: throw Check.NoImplementation(nameof(LayerNorm), x.Device);
        }
    }

    /// <summary>
    /// Gradients: with n = (x - mean) * rstd and g = dy * gamma, dx = rstd * (g - average(g) - n * average(g * n));
    /// dgamma = sum over rows of dy * n; dbeta = sum over rows of dy.
    /// </summary>
    /// <param name="x">Input of the forward pass, [rows, width].</param>
    /// <param name="gamma">Scale, [width].</param>
    /// <param name="statistics">The values that the forward pass left.</param>
    /// <param name="dy">Gradient by the output, [rows, width].</param>
    /// <param name="gradients">Where the gradients go.</param>
    /// <param name="shape">Rows and width.</param>
    public static void Backward(DeviceArray x, DeviceArray gamma, Statistics statistics, DeviceArray dy,
        Gradients gradients, RowShape shape)
    {
        Check.Length(x, shape.Count, nameof(x));
        Check.Length(gamma, shape.Width, nameof(gamma));
        Check.Length(statistics.Mean, shape.Rows, "mean");
        Check.Length(statistics.Rstd, shape.Rows, "rstd");
        Check.Length(dy, shape.Count, nameof(dy));
        Check.OptionalLength(gradients.X.Array, shape.Count, "dx");
        Check.OptionalLength(gradients.Gamma.Array, shape.Width, "dgamma");
        Check.OptionalLength(gradients.Beta.Array, shape.Width, "dbeta");
        switch (x.Device)
        {
            case CpuDevice host: BackwardHost(host, x, gamma, statistics, dy, gradients, shape); break;
            case GpuDevice gpu: BackwardGpu(gpu, x, gamma, statistics, dy, gradients, shape); break;
            default: throw Check.NoImplementation(nameof(LayerNorm), x.Device);
        }
    }
}
