using Cliper.Kernels.Memory;

namespace Cliper.Autograd.Optimizers;

/// <summary>State that a checkpoint keeps of one parameter that has been stepped.</summary>
/// <param name="Name">The parameter's name.</param>
/// <param name="Step">Steps taken, at least 1.</param>
/// <param name="Tensors">Tensors of the parameter's shape, in the order of <see cref="IOptimizer.StateNames"/>. Not
/// copies.</param>
public sealed record OptimizerState(string Name, int Step, IReadOnlyList<Tensor> Tensors);

/// <summary>
/// Updates groups of named parameters by their gradients. The state of each parameter can be saved and restored, so
/// that a resumed training goes on to the same bits. Dispose it to free the state; the parameters are their owner's.
/// </summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Names of the state's tensors, by which checkpoints keep them, such as "first" and "second"
    /// moment.</summary>
    IReadOnlyList<string> StateNames { get; }

    /// <summary>The parameters of all groups, in the order in which they were added.</summary>
    IEnumerable<Tensor> Parameters { get; }

    /// <summary>The state of every parameter that has been stepped, in the order of <see cref="Parameters"/>.</summary>
    IEnumerable<OptimizerState> State { get; }

    /// <summary>Adds parameters that share a weight decay.</summary>
    /// <param name="parameters">Names, each used once in this optimizer, and tensors.</param>
    /// <param name="weightDecay">Weight decay, as the optimizer defines it.</param>
    /// <param name="learningRateFactor">Factor on the learning rate given to <see cref="Step"/>.</param>
    /// <exception cref="ArgumentException">A name is there already.</exception>
    void AddGroup(IEnumerable<(string Name, Tensor Parameter)> parameters, float weightDecay,
        float learningRateFactor = 1);

    /// <summary>Updates every parameter that has a gradient and marks it written. Gradients stay: clear them
    /// after.</summary>
    /// <param name="learningRate">Learning rate of this step, as a schedule gives it.</param>
    /// <param name="gradientScale">Factor of every gradient, one element on the device, such as
    /// <see cref="GradientClipping.Factor"/>; null for 1. Where it turns out to be 0 nothing is updated: call
    /// <see cref="TakeBack"/> then.</param>
    void Step(float learningRate, DeviceArray gradientScale = default);

    /// <summary>Counts the last step as not taken: its factor was 0.</summary>
    void TakeBack();

    /// <summary>Clears the gradient of every parameter; no memory is touched.</summary>
    void ClearGradients();

    /// <summary>Sets one parameter's state as a checkpoint kept it.</summary>
    /// <param name="name">The parameter's name.</param>
    /// <param name="step">Steps taken, at least 1.</param>
    /// <param name="values">Elements of the state's tensors, in the order of <see cref="StateNames"/>.</param>
    /// <exception cref="ArgumentException">No such parameter, or one of another size.</exception>
    void Restore(string name, int step, IReadOnlyList<float[]> values);
}
