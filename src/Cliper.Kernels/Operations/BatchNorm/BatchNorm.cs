using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Batch normalization (Ioffe, Szegedy 2015, arXiv 1502.03167) of rows of channels, such as NHWC activations: with mean
/// and variance (divided by rows) of a channel, y = (x - mean) * rstd * gamma + beta + residual, rstd = 1 /
/// sqrt(variance + epsilon), then max(y, 0) if asked. The statistics are those of the batch in training, running ones
/// in inference.
/// </summary>
/// <remarks>
/// Statistics and sums are taken over fixed slices of the rows and then over the slices in order. A NaN or infinity
/// makes its own channel NaN and no other.
/// </remarks>
public static partial class BatchNorm
{
    /// <summary>PyTorch's epsilon.</summary>
    public const float DefaultEpsilon = 1e-5f;

    /// <summary>PyTorch's weight of the new statistics in the running ones.</summary>
    public const float DefaultMomentum = 0.1f;

    /// <summary>The numbers that channels are normalized with, each array [channels].</summary>
    /// <param name="Gamma">Scale.</param>
    /// <param name="Beta">Shift.</param>
    /// <param name="Mean">Means of the batch, or running ones.</param>
    /// <param name="Variance">Variances of the batch, divided by rows, or running ones.</param>
    /// <param name="Epsilon">Added to the variance.</param>
    public readonly record struct Parameters(DeviceArray Gamma, DeviceArray Beta, DeviceArray Mean,
        DeviceArray Variance, float Epsilon = DefaultEpsilon)
    {
        internal int Channels => checked((int)Gamma.Length);
    }

    /// <summary>Where the gradients go; any of them may be no target.</summary>
    /// <param name="X">Gradient by the input, [rows, channels].</param>
    /// <param name="Gamma">Gradient by gamma, [channels].</param>
    /// <param name="Beta">Gradient by beta, [channels].</param>
    public readonly record struct Gradients(GradientTarget X, GradientTarget Gamma, GradientTarget Beta);

    /// <summary>Mean and variance, divided by rows, of each channel in one pass; of several ranks, which all call this,
    /// over the rows of all.</summary>
    /// <param name="x">[rows, channels], at least one row.</param>
    /// <param name="mean">[channels].</param>
    /// <param name="variance">[channels].</param>
    /// <returns>The rows, those of the other ranks included.</returns>
    public static long Statistics(DeviceArray x, DeviceArray mean, DeviceArray variance)
    {
        int rows = Rows(x, mean);
        if (rows == 0)
            throw new ArgumentException("x has no rows, expected at least one", nameof(x));
        Check.Length(variance, mean.Length, nameof(variance));
        switch (x.Device)
        {
            case CpuDevice host: return StatisticsCpu(host, x, mean, variance, rows);
            case GpuDevice gpu: StatisticsGpu(gpu, x, mean, variance, rows); return rows;
            default: throw Check.NoImplementation(nameof(BatchNorm), x.Device);
        }
    }

    /// <summary>
    /// running += momentum * (batch - running), of the variance the unbiased one (divided by rows - 1), as PyTorch.
    /// </summary>
    /// <param name="mean">Means of the batch, [channels].</param>
    /// <param name="variance">Variances of the batch, divided by rows, [channels].</param>
    /// <param name="runningMean">[channels].</param>
    /// <param name="runningVariance">[channels].</param>
    /// <param name="rows">Rows of the batch, at least two.</param>
    /// <param name="momentum">Weight of the batch.</param>
    public static void UpdateRunning(DeviceArray mean, DeviceArray variance, DeviceArray runningMean,
        DeviceArray runningVariance, long rows, float momentum = DefaultMomentum)
    {
        if (rows < 2)
            throw new ArgumentOutOfRangeException(nameof(rows), rows,
                "a variance over the batch needs at least two rows");
        Check.Length(mean, mean.Length, nameof(mean));
        Check.Length(variance, mean.Length, nameof(variance));
        Check.Length(runningMean, mean.Length, nameof(runningMean));
        Check.Length(runningVariance, mean.Length, nameof(runningVariance));
        float unbiased = (float)(rows / (rows - 1.0));
        switch (mean.Device)
        {
            case CpuDevice:
                UpdateRunningCpu(mean, runningMean, 1, momentum);
                UpdateRunningCpu(variance, runningVariance, unbiased, momentum);
                break;
            case GpuDevice gpu:
                UpdateRunningGpu(gpu, mean, runningMean, 1, momentum);
                UpdateRunningGpu(gpu, variance, runningVariance, unbiased, momentum);
                break;
            default: throw Check.NoImplementation(nameof(BatchNorm), mean.Device);
        }
    }

    /// <summary>y = (x - mean) * rstd * gamma + beta + residual, then max(y, 0) if asked.</summary>
    /// <param name="x">[rows, channels].</param>
    /// <param name="parameters">The numbers that the channels are normalized with.</param>
    /// <param name="residual">Added before the ReLU, [rows, channels]; may be null.</param>
    /// <param name="y">[rows, channels]; may be <paramref name="x"/> or <paramref name="residual"/>.</param>
    /// <param name="relu">Whether negative results become zero.</param>
    public static void Forward(DeviceArray x, Parameters parameters, DeviceArray residual, DeviceArray y, bool relu)
    {
        CheckParameters(x, parameters);
        Check.OptionalLength(residual, x.Length, nameof(residual));
        Check.Length(y, x.Length, nameof(y));
        switch (x.Device)
        {
            case CpuDevice host: ForwardCpu(host, x, parameters, residual, y, relu); break;
            case GpuDevice gpu: ForwardGpu(gpu, x, parameters, residual, y, relu); break;
            default: throw Check.NoImplementation(nameof(BatchNorm), x.Device);
        }
    }

    /// <summary>
    /// Gradients: with n = (x - mean) * rstd and g = dy where the ReLU let the sum pass, else 0: dgamma = sum over rows
    /// of g * n, dbeta = sum over rows of g (of this rank's rows, where there are several ranks), and
    /// dx = gamma * rstd * (g - average(g) - n * average(g * n)) for
    /// statistics of the batch, gamma * rstd * g for running ones.
    /// </summary>
    /// <param name="x">Input of the forward pass, [rows, channels].</param>
    /// <param name="parameters">The same as in the forward pass.</param>
    /// <param name="dy">
    /// Gradient by the output, [rows, channels]; g is written over it where <paramref name="y"/> is given, and is then
    /// the residual's gradient.
    /// </param>
    /// <param name="y">The result that the forward pass left, where it added a residual before a ReLU; else
    /// null.</param>
    /// <param name="gradients">Where the gradients go; dx may be <paramref name="dy"/> when not accumulated.</param>
    /// <param name="batchStatistics">Whether mean and variance are those of <paramref name="x"/>.</param>
    /// <param name="relu">The same as in the forward pass.</param>
    public static void Backward(DeviceArray x, Parameters parameters, DeviceArray dy, DeviceArray y,
        Gradients gradients, bool batchStatistics, bool relu)
    {
        int rows = CheckParameters(x, parameters), channels = parameters.Channels;
        Check.Length(dy, x.Length, nameof(dy));
        Check.OptionalLength(y, x.Length, nameof(y));
        Check.OptionalLength(gradients.X.Array, x.Length, "dx");
        Check.OptionalLength(gradients.Gamma.Array, channels, "dgamma");
        Check.OptionalLength(gradients.Beta.Array, channels, "dbeta");
        switch (x.Device)
        {
            case CpuDevice host:
                BackwardCpu(host, new Input(x, dy, y, parameters, relu), gradients, rows, batchStatistics);
                break;
            case GpuDevice gpu:
                BackwardGpu(gpu, new Input(x, dy, y, parameters, relu), gradients, rows, batchStatistics);
                break;
            default: throw Check.NoImplementation(nameof(BatchNorm), x.Device);
        }
    }

    /// <summary>The arrays that a backward pass reads.</summary>
    private readonly record struct Input(DeviceArray X, DeviceArray Dy, DeviceArray Y, Parameters Parameters,
        bool Relu);

    private static int CheckParameters(DeviceArray x, Parameters parameters)
    {
        int rows = Rows(x, parameters.Gamma);
        Check.Length(parameters.Beta, parameters.Channels, "beta");
        Check.Length(parameters.Mean, parameters.Channels, "mean");
        Check.Length(parameters.Variance, parameters.Channels, "variance");
        return rows;
    }

    private static int Rows(DeviceArray x, DeviceArray perChannel)
    {
        ArgumentOutOfRangeException.ThrowIfZero(perChannel.Length, "channels");
        if (x.Length % perChannel.Length != 0)
            throw new ArgumentException($"x has {x.Length} elements, expected rows of {perChannel.Length} channels",
                nameof(x));
        Check.Length(x, x.Length, nameof(x));
        return checked((int)(x.Length / perChannel.Length));
    }
}
