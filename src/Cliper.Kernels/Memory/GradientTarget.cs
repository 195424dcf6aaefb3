namespace Cliper.Kernels.Memory;

/// <summary>
/// Where a backward pass writes a gradient: an array, and whether the gradient is added to what stands there or
/// replaces it. The default value is no target, for an operand whose gradient nobody wants.
/// </summary>
/// <param name="Array">The gradient; null when none is wanted.</param>
/// <param name="Accumulate">Whether to add to <paramref name="Array"/> instead of overwriting it.</param>
public readonly record struct GradientTarget(DeviceArray Array, bool Accumulate)
{
    /// <summary>Whether no gradient is wanted.</summary>
    public bool IsNull => Array.IsNull;

    /// <summary>A target that is overwritten; the null array gives no target.</summary>
    public static implicit operator GradientTarget(DeviceArray array) => new(array, Accumulate: false);

    /// <summary>The same elements as <see cref="DeviceArray.Slice"/>, written in the same way.</summary>
    public GradientTarget Slice(long start, long length) => this with { Array = Array.Slice(start, length) };
}
