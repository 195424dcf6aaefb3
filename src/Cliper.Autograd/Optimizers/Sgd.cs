using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.SgdUpdate;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Stochastic gradient descent with momentum (<see cref="Kernel"/>) over groups of named parameters, as PyTorch's
/// without dampening and Nesterov. A parameter without a gradient in a step is left as it is, decay included.
/// Velocities are made when a parameter's first gradient comes. Dispose it to free them; the parameters are their
/// owner's.
/// </summary>
/// <param name="momentum">Factor of the velocity, in [0, 1).</param>
public sealed class Sgd(double momentum = 0.9) : IOptimizer
{
    private readonly OptimizedParameters _parameters = new("velocity");

    /// <inheritdoc/>
    public IReadOnlyList<string> StateNames => _parameters.StateNames;

    /// <inheritdoc/>
    public IEnumerable<Tensor> Parameters => _parameters.Tensors;

    /// <summary>Velocity of every parameter that has been stepped.</summary>
    public IEnumerable<OptimizerState> State => _parameters.State;

    /// <inheritdoc/>
    /// <remarks>The decay is coupled: decay times the parameter is added to the gradient, and so to the
    /// velocity.</remarks>
    public void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay,
        float learningRateFactor = 1) => _parameters.Add(parameters, weightDecay, learningRateFactor);

    /// <inheritdoc/>
    public void Step(float learningRate, DeviceArray gradientScale = default)
    {
        List<Kernel.Slot> slots = [];
        foreach (OptimizedParameter entry in _parameters.BeginStep())
        {
            Tensor parameter = entry.Tensor;
            slots.Add(new Kernel.Slot(parameter.Data, parameter.Gradient, entry.State[0].Data,
                learningRate * entry.RateFactor, entry.WeightDecay, parameter.OperandCopy));
            parameter.MarkWrittenWithCopy();
        }
        Kernel.Step(CollectionsMarshal.AsSpan(slots), (float)momentum, gradientScale);
    }

    /// <inheritdoc/>
    public void TakeBack() => _parameters.TakeBack();

    /// <inheritdoc/>
    public void ClearGradients() => _parameters.ClearGradients();

    /// <inheritdoc/>
    public void Restore(string name, int step, IReadOnlyList<float[]> values) =>
        _parameters.Restore(name, step, values);

    /// <inheritdoc/>
    public void Dispose() => _parameters.Dispose();
}
