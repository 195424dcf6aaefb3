using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>The body of a loop that is unrolled when the kernel is compiled.</summary>
internal interface IUnrolledBody
{
    /// <summary>Runs one turn; <paramref name="index"/> is a constant to the compiler.</summary>
    void Run(int index);
}

/// <summary>
/// A number as a type, and the loop of so many turns. ILGPU unrolls no loop, but it inlines these calls and folds each index,
/// so that local arrays indexed with it become registers.
/// </summary>
internal interface ICount
{
    /// <summary>The number.</summary>
    static abstract int Value { get; }

    /// <summary>body.Step(first), body.Step(first + 1) ... body.Step(first + Value - 1).</summary>
    static abstract void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody;
}

/// <summary>1.</summary>
internal readonly struct N1 : ICount
{
    /// <inheritdoc/>
    public static int Value => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody => body.Run(first);
}

/// <summary>2 N.</summary>
internal readonly struct Twice<N> : ICount where N : struct, ICount
{
    /// <inheritdoc/>
    public static int Value => N.Value * 2;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody
    {
        N.For(ref body, first);
        N.For(ref body, first + N.Value);
    }
}
