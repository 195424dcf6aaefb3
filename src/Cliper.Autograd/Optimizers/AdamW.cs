using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Kernel = Cliper.Kernels.Operations.AdamWUpdate;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Adam with decoupled weight decay (<see cref="Kernel"/>) over groups of named parameters. A parameter without a
/// gradient in a step is left as it is, decay included; each counts its own steps, as PyTorch does. Moments are made
/// when a parameter's first gradient comes, so what is frozen costs nothing. Dispose it to free the moments; the
/// parameters are their owner's.
/// </summary>
/// <param name="beta1">Decay of the first moment.</param>
/// <param name="beta2">Decay of the second moment.</param>
/// <param name="epsilon">Added to the root of the second moment; CLIPER's recipes use 1e-4.</param>
/// <param name="isHalf">Tells by its name whether a parameter is rounded to fp16 after each operation, with its
/// moments, as where a training keeps them in fp16 (<see cref="Kernel.Settings.RoundsToHalf"/>); null for none.</param>
public sealed class AdamW(double beta1 = 0.9, double beta2 = 0.999, double epsilon = 1e-8,
    Func<string, bool>? isHalf = null) : IOptimizer
{
    private readonly OptimizedParameters _parameters = new("first", "second");

    /// <inheritdoc/>
    public IReadOnlyList<string> StateNames => _parameters.StateNames;

    /// <inheritdoc/>
    public IEnumerable<Tensor> Parameters => _parameters.Tensors;

    /// <summary>First and second moment of every parameter that has been stepped.</summary>
    public IEnumerable<OptimizerState> State => _parameters.State;

    /// <inheritdoc/>
    /// <remarks>The decay is decoupled: a step takes learning rate times decay off the parameter.</remarks>
    public void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay,
        float learningRateFactor = 1) => _parameters.Add(parameters, weightDecay, learningRateFactor);

    /// <inheritdoc/>
    public void Step(float learningRate, DeviceArray gradientScale = default)
    {
        List<Kernel.Slot> slots = [], halves = [];
        foreach (OptimizedParameter entry in _parameters.BeginStep())
        {
            Tensor parameter = entry.Tensor;
            (isHalf?.Invoke(entry.Name) == true ? halves : slots).Add(new Kernel.Slot(parameter.Data,
                parameter.Gradient, entry.State[0].Data, entry.State[1].Data, entry.Step,
                learningRate * entry.RateFactor, entry.WeightDecay, parameter.OperandCopy));
            parameter.MarkWrittenWithCopy();
        }
        var settings = new Kernel.Settings(beta1, beta2, epsilon, gradientScale);
        Kernel.Step(CollectionsMarshal.AsSpan(slots), settings);
        Kernel.Step(CollectionsMarshal.AsSpan(halves), settings with { RoundsToHalf = true });
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
