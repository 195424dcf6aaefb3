using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Ptx;

/// <summary>The body of a loop that is unrolled when the kernel is compiled.</summary>
internal interface IStep
{
    /// <summary>Runs one turn; <paramref name="index"/> is a constant to the compiler.</summary>
    void Step(int index);
}

/// <summary>
/// A number as a type, and the loop of so many turns. ILGPU unrolls no loop, but it inlines these calls and folds each index,
/// so that local arrays indexed with it become registers.
/// </summary>
internal interface ICount
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }

    /// <summary>body.Step(0), body.Step(1) ... body.Step(Value - 1).</summary>
    static abstract void For<TStep>(ref TStep body) where TStep : struct, IStep;
}

/// <summary>1.</summary>
internal readonly struct N1 : ICount
{
    /// <inheritdoc/>
    public static int Value => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TStep>(ref TStep body) where TStep : struct, IStep => body.Step(0);
}

/// <summary>2 N.</summary>
internal readonly struct Twice<N> : ICount where N : struct, ICount
{
    private struct Shifted<TStep> : IStep where TStep : struct, IStep
    {
        public TStep Body;
        public int Offset;

        public void Step(int index) => Body.Step(index + Offset);
    }

    /// <inheritdoc/>
    public static int Value => N.Value * 2;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TStep>(ref TStep body) where TStep : struct, IStep
    {
        N.For(ref body);
        Shifted<TStep> shifted;
        shifted.Body = body;
        shifted.Offset = N.Value;
        N.For(ref shifted);
        body = shifted.Body;
    }
}
