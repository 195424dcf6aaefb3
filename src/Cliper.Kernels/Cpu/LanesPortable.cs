using System.Numerics;
using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// Lanes of <see cref="Vector{T}"/>, whose number depends on the CPU; without FMA the product is rounded before the
/// sum.
/// </summary>
/// <param name="v">The register.</param>
internal readonly unsafe struct LanesPortable(Vector<float> v) : ILanes<LanesPortable>
{
    private readonly Vector<float> _v = v;

    /// <inheritdoc/>
    public static int Count => Vector<float>.Count;

    /// <inheritdoc/>
    public static LanesPortable Zero => new(Vector<float>.Zero);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Create(float value) => new(Vector.Create(value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Load(float* p) => new(Vector.Load(p));

    /// <inheritdoc/>
    public static LanesPortable LoadPartial(float* p, int n)
    {
        Vector<float> v = Vector<float>.Zero;
        new ReadOnlySpan<float>(p, n).CopyTo(new Span<float>(&v, Count));
        return new(v);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Store(float* p) => Vector.Store(_v, p);

    /// <inheritdoc/>
    public void StorePartial(float* p, int n)
    {
        Vector<float> v = _v;
        new ReadOnlySpan<float>(&v, n).CopyTo(new Span<float>(p, n));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable operator +(LanesPortable a, LanesPortable b) => new(a._v + b._v);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable operator -(LanesPortable a, LanesPortable b) => new(a._v - b._v);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable operator *(LanesPortable a, LanesPortable b) => new(a._v * b._v);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable operator /(LanesPortable a, LanesPortable b) => new(a._v / b._v);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable MultiplyAdd(LanesPortable a, LanesPortable b, LanesPortable c) =>
        new(Vector.FusedMultiplyAdd(a._v, b._v, c._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Min(LanesPortable a, LanesPortable b) => new(Vector.Min(a._v, b._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Max(LanesPortable a, LanesPortable b) => new(Vector.Max(a._v, b._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable AtLeast(LanesPortable x, LanesPortable bound) =>
        new(Vector.ConditionalSelect(Vector.LessThan(x._v, bound._v), bound._v, x._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable AtMost(LanesPortable x, LanesPortable bound) =>
        new(Vector.ConditionalSelect(Vector.GreaterThan(x._v, bound._v), bound._v, x._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Abs(LanesPortable a) => new(Vector.Abs(a._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Sqrt(LanesPortable a) => new(Vector.SquareRoot(a._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Round(LanesPortable a) => new(Vector.Round(a._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Scale(LanesPortable a, LanesPortable integral)
    {
        // A biased exponent below 1 becomes that of 0.
        Vector<int> biased = Vector.ConvertToInt32(integral._v) + Vector.Create(127);
        return new(a._v * Vector.AsVectorSingle(Vector.ShiftLeft(Vector.Max(biased, Vector<int>.Zero), 23)));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable Exponent(LanesPortable a) =>
        new(Vector.ConvertToSingle(Vector.ShiftRightLogical(Vector.AsVectorInt32(a._v), 23) - Vector.Create(127)));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesPortable SelectLess(LanesPortable a, LanesPortable b, LanesPortable yes, LanesPortable no) =>
        new(Vector.ConditionalSelect(Vector.LessThan(a._v, b._v), yes._v, no._v));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(LanesPortable a) => Vector.Sum(a._v);

    /// <inheritdoc/>
    public static float MaxLane(LanesPortable a)
    {
        float max = a._v[0];
        for (int lane = 1; lane < Count; lane++)
            max = MathF.Max(max, a._v[lane]);
        return max;
    }
}
