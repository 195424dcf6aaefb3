using System.Numerics.Tensors;

namespace Cliper.Model.Weights;

/// <summary>Tells which numbers fp16 cannot hold.</summary>
internal static class HalfRange
{
    // From here on a half rounds to infinity: its largest, and half a step.
    private const float Beyond = 65520;

    /// <summary>How many finite numbers would become infinite.</summary>
    public static int CountBeyond(ReadOnlySpan<float> values)
    {
        int count = 0;
        if (!values.IsEmpty && !(TensorPrimitives.MaxMagnitude(values) < Beyond))
            foreach (float value in values)
                count += float.IsFinite(value) && Math.Abs(value) >= Beyond ? 1 : 0;
        return count;
    }
}
