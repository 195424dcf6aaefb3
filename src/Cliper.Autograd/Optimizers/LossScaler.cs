using Cliper.Kernels.Memory;

namespace Cliper.Autograd.Optimizers;

/// <summary>
/// Dynamic loss scaling (Micikevicius et al. 2018, arXiv 1710.03740, section 3.2): the loss is multiplied so that fp16
/// gradients do not vanish; a step whose gradients are not finite is left out and halves the factor, and many finite
/// steps in a row double it.
/// </summary>
/// <param name="initial">The first factor, a power of two.</param>
/// <param name="interval">Finite steps after which the factor doubles; 0 keeps it as it is for good.</param>
public sealed class LossScaler(float initial = 1 << 16, int interval = 2000)
{
    private const float Largest = 1 << 24;

    private int _finite;

    /// <summary>The scaler that a loss on <paramref name="device"/> needs; it changes nothing where gradients have the
    /// range of fp32, as bf16's do.</summary>
    public static LossScaler For(Device device) => device.Activations == ElementType.Float16 ? new LossScaler()
        : new LossScaler(1, 0);

    /// <summary>Factor of the loss, and divisor of the gradients.</summary>
    public float Scale { get; private set; } = initial;

    /// <summary>State that a checkpoint keeps, so that the factor goes on as if there had been no
    /// interruption.</summary>
    /// <param name="Scale">The factor.</param>
    /// <param name="FiniteSteps">Finite steps since it changed.</param>
    public readonly record struct State(float Scale, int FiniteSteps)
    {
        /// <summary>Whether a scaler can stand there.</summary>
        public bool IsValid => Scale is >= 1 and <= Largest && FiniteSteps >= 0;
    }

    /// <summary>Where it stands; null where the factor never changes.</summary>
    public State? Current => interval == 0 ? null : new State(Scale, _finite);

    /// <summary>
    /// Goes on from <paramref name="state"/>. Where the factor never changes, that of a run on another device means
    /// nothing.
    /// </summary>
    /// <exception cref="ArgumentException">No state that there can be.</exception>
    public void Restore(State state)
    {
        if (!state.IsValid)
            throw new ArgumentException($"a loss scale of {state.Scale} after {state.FiniteSteps} finite steps",
                nameof(state));
        if (interval > 0)
            (Scale, _finite) = (state.Scale, state.FiniteSteps);
    }

    /// <summary>Says whether the last step's gradients were finite.</summary>
    public void Update(bool finite)
    {
        if (interval == 0)
            return;
        if (!finite)
        {
            _finite = 0;
            Scale = Math.Max(1, Scale / 2);
        }
        else if (++_finite >= interval)
        {
            _finite = 0;
            Scale = Math.Min(Largest, Scale * 2);
        }
    }
}
