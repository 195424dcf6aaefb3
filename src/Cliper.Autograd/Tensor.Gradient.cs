using Cliper.Kernels.Memory;

namespace Cliper.Autograd;

/// <content>The gradient of a tensor: whether it is wanted, where it is, and whether it counts.</content>
public sealed partial class Tensor
{
    private DeviceArray _gradient;
    private bool _gradientSet;

    /// <summary>
    /// Whether gradients flow here. Set it on parameters to train them and clear it to freeze them; operations set it
    /// on what depends on such a parameter. A view shares its tensor's.
    /// </summary>
    public bool RequiresGrad
    {
        get => _base?.RequiresGrad ?? field;
        set
        {
            if (_base is not null)
                throw new InvalidOperationException("a view shares its tensor's RequiresGrad");
            field = value;
        }
    }

    /// <summary>Whether a gradient has been written since <see cref="ClearGradient"/>.</summary>
    public bool HasGradient => _base?.HasGradient ?? _gradientSet;

    /// <summary>The gradient of the loss by this tensor.</summary>
    /// <exception cref="InvalidOperationException">None has been written; it is zero.</exception>
    public DeviceArray Gradient => _base is not null ? _base.Gradient.Slice(_offset, Shape.Count)
        : _gradientSet ? _gradient
        : throw new InvalidOperationException("no gradient has been written");

    /// <summary>
    /// Makes the next gradient overwrite instead of add. No memory is touched: the gradient counts as zero from here
    /// on.
    /// </summary>
    public void ClearGradient()
    {
        if (_base is not null)
            throw new InvalidOperationException("clear the gradient of the tensor, not of a view");
        _gradientSet = false;
    }

    /// <summary>
    /// Where a backward pass writes this tensor's gradient, of the tensor's own type, allocated when first asked for.
    /// A gradient that was written before is added to; where none was, every element must be written.
    /// </summary>
    public GradientTarget GradientTarget()
    {
        if (_base is not null)
        {
            GradientTarget whole = _base.GradientTarget();
            if (!whole.Accumulate && Shape.Count != _base.Shape.Count)
            {
                // A part is written first: the rest counts as zero.
                Device.Clear(whole.Array);
                whole = whole with { Accumulate = true };
            }
            return whole.Slice(_offset, Shape.Count);
        }
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_gradient.IsNull)
            _gradient = Device.Allocate(Shape.Count, Type);
        var target = new GradientTarget(_gradient, Accumulate: _gradientSet);
        _gradientSet = true;
        return target;
    }

    /// <summary>
    /// Hands this tensor's gradient on to <paramref name="target"/> (of equal count), whose gradient it then is: what
    /// the backward of an addition does with an operand when nothing has been written there yet. Saves a copy.
    /// </summary>
    /// <returns>False, and nothing done, if the target already has a gradient, or either is a view or differs in
    /// type.</returns>
    internal bool TryMoveGradientTo(Tensor target)
    {
        if (_base is not null || target._base is not null || !target._gradient.IsNull || !_gradientSet
            || target.Type != Type)
            return false;
        target._gradient = _gradient;
        target._gradientSet = true;
        _gradient = default;
        _gradientSet = false;
        return true;
    }

    /// <summary>How many operations may add to this tensor's gradient; counted by the tape.</summary>
    internal int Consumers { get; set; }

    /// <summary>
    /// The tensor that an activation fused into the operation that made this one was applied to; null without one.
    /// </summary>
    internal PreActivation? PreActivation { get; set; }

    /// <summary>Ends the gradient alone; it counts as zero.</summary>
    public void FreeGradient()
    {
        if (_base is not null || _disposed)
            return;
        _data.Device.Free(_gradient);
        _gradient = default;
        _gradientSet = false;
    }
}
