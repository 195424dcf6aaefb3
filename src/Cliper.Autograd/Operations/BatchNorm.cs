using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.BatchNorm;

namespace Cliper.Autograd;

public sealed partial class Tape
{
    /// <summary>
    /// Normalizes the channels of <paramref name="x"/> by <see cref="Kernel"/>; keeps x, with a residual before a ReLU
    /// the result too. Training normalizes by the statistics of the batch and updates the running ones, once even in a
    /// block that <see cref="Checkpoint"/> runs again; inference normalizes by the running ones.
    /// </summary>
    /// <param name="x">[..., channels], for training at least two rows.</param>
    /// <param name="weights">Scale, shift and running statistics.</param>
    /// <param name="training">Whether the statistics are those of the batch.</param>
    /// <param name="relu">Whether negative results become zero.</param>
    /// <param name="residual">Added before the ReLU, of the shape of <paramref name="x"/>; null for none.</param>
    /// <param name="momentum">Weight of the batch in the running statistics.</param>
    /// <param name="epsilon">Added to the variance.</param>
    /// <returns>The shape of <paramref name="x"/>.</returns>
    public Tensor BatchNorm(Tensor x, BatchNormWeights weights, bool training, bool relu = false,
        Tensor? residual = null, float momentum = Kernel.DefaultMomentum, float epsilon = Kernel.DefaultEpsilon)
    {
        (Tensor gamma, Tensor beta, Tensor mean, Tensor variance) = weights;
        if (training)
            (mean, variance) = BatchStatistics(x, weights, momentum);
        Tensor y = New(x.Shape, x.Type);
        var parameters = new Kernel.Parameters(gamma.Data, beta.Data, mean.Data, variance.Data, epsilon);
        Kernel.Forward(x.Data, parameters, residual?.Data ?? default, y.Data, relu);
        if (!Needs(x, gamma, beta, residual))
            return y;
        bool keepsResult = relu && residual is not null;
        Record(y, () =>
        {
            // Where nobody else needs it, x's gradient is written over that of y.
            bool moves = residual is null && x.RequiresGrad && y.TryMoveGradientTo(x);
            DeviceArray dy = moves ? x.Gradient : y.Gradient;
            Kernel.Backward(x.Data, parameters, dy, keepsResult ? y.Data : default,
                new Kernel.Gradients(moves ? dy : Target(x), Target(gamma), Target(beta)), training, relu);
            if (residual is not null)
                PassGradient(y, residual);
        }, [x, gamma, beta, mean, variance]);
        return y;
    }

    private (Tensor Mean, Tensor Variance) BatchStatistics(Tensor x, BatchNormWeights weights, float momentum)
    {
        Tensor mean = New(weights.Gamma.Shape), variance = New(weights.Gamma.Shape);
        long rows = Kernel.Statistics(x.Data, mean.Data, variance.Data);
        if (IsRecomputation)
            return (mean, variance);
        Kernel.UpdateRunning(mean.Data, variance.Data, weights.RunningMean.Data, weights.RunningVariance.Data,
            rows, momentum);
        weights.RunningMean.MarkWritten();
        weights.RunningVariance.MarkWritten();
        return (mean, variance);
    }
}
