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

    /// <summary>Normalizes each row.</summary>
    /// <param name="x">Input, [rows, width].</param>
    /// <param name="gamma">Scale, [width].</param>
    /// <param name="beta">Shift, [width].</param>
    /// <param name="y">Output, [rows, width]; may be <paramref name="x"/>.</param>
    /// <param name="mean">Row means, [rows], for the backward pass; may be null.</param>
    /// <param name="rstd">Row reciprocal standard deviations, [rows]; null with <paramref name="mean"/>.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    /// <param name="epsilon">Added to the variance.</param>
    public static void Forward(DeviceArray x, DeviceArray gamma, DeviceArray beta, DeviceArray y, DeviceArray mean,
        DeviceArray rstd, int rows, int width, float epsilon = DefaultEpsilon)
    {
        Check.Length(x, (long)rows * width, nameof(x));
        Check.Length(y, (long)rows * width, nameof(y));
        Check.Length(gamma, width, nameof(gamma));
        Check.Length(beta, width, nameof(beta));
        Check.OptionalLength(mean, rows, nameof(mean));
        Check.OptionalLength(rstd, rows, nameof(rstd));
        switch (x.Device)
        {
            case CpuDevice host: ForwardHost(host, x, gamma, beta, y, mean, rstd, rows, width, epsilon); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, gamma, beta, y, mean, rstd, rows, width, epsilon); break;
            default: throw Check.NoImplementation(nameof(LayerNorm), x.Device);
        }
    }

    /// <summary>
    /// Gradients: with n = (x - mean) * rstd and g = dy * gamma, dx = rstd * (g - average(g) - n * average(g * n));
    /// dgamma = sum over rows of dy * n; dbeta = sum over rows of dy.
    /// </summary>
    /// <param name="x">Input of the forward pass, [rows, width].</param>
    /// <param name="gamma">Scale, [width].</param>
    /// <param name="mean">The values that the forward pass left, [rows].</param>
    /// <param name="rstd">The values that the forward pass left, [rows].</param>
    /// <param name="dy">Gradient by the output, [rows, width].</param>
    /// <param name="dx">Gradient by the input, [rows, width]; null when not wanted; may be <paramref name="dy"/> when
    /// not accumulated.</param>
    /// <param name="accumulateDx">Whether to add to <paramref name="dx"/>.</param>
    /// <param name="dgamma">Gradient by gamma, [width]; null when not wanted.</param>
    /// <param name="accumulateDgamma">Whether to add to <paramref name="dgamma"/>.</param>
    /// <param name="dbeta">Gradient by beta, [width]; null when not wanted.</param>
    /// <param name="accumulateDbeta">Whether to add to <paramref name="dbeta"/>.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="width">Elements of a row.</param>
    public static void Backward(DeviceArray x, DeviceArray gamma, DeviceArray mean, DeviceArray rstd, DeviceArray dy,
        DeviceArray dx, bool accumulateDx, DeviceArray dgamma, bool accumulateDgamma, DeviceArray dbeta,
        bool accumulateDbeta, int rows, int width)
    {
        Check.Length(x, (long)rows * width, nameof(x));
        Check.Length(gamma, width, nameof(gamma));
        Check.Length(mean, rows, nameof(mean));
        Check.Length(rstd, rows, nameof(rstd));
        Check.Length(dy, (long)rows * width, nameof(dy));
        Check.OptionalLength(dx, (long)rows * width, nameof(dx));
        Check.OptionalLength(dgamma, width, nameof(dgamma));
        Check.OptionalLength(dbeta, width, nameof(dbeta));
        switch (x.Device)
        {
            case CpuDevice host:
                BackwardHost(host, x, gamma, mean, rstd, dy, dx, accumulateDx, dgamma, accumulateDgamma, dbeta,
                    accumulateDbeta, rows, width);
                break;
            case GpuDevice gpu:
                BackwardGpu(gpu, x, gamma, mean, rstd, dy, dx, accumulateDx, dgamma, accumulateDgamma, dbeta,
                    accumulateDbeta, rows, width);
                break;
            default: throw Check.NoImplementation(nameof(LayerNorm), x.Device);
        }
    }
}
