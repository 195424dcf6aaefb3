using System.Runtime.CompilerServices;

namespace Cliper.Kernels.Gpu.DeviceCode;

/// <summary>The body of a static unroll, see <see cref="IUnroll"/>.</summary>
internal interface IUnrolledBody
{
    /// <summary>Runs one turn; ILGPU sees <paramref name="index"/> as a constant.</summary>
    void Run(int index);
}

/// <summary>
/// A static unroll: a loop of a number of turns that is known when the kernel is compiled. ILGPU unrolls no loop, but
/// it inlines these calls and folds each index, so that local arrays indexed with it become registers.
/// </summary>
internal interface IUnroll
{
    /// <summary>Number of turns.</summary>
    static abstract int Count { get; }

    /// <summary>Calls body.Run(first), body.Run(first + 1) ... body.Run(first + Count - 1).</summary>
    static abstract void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody;
}

/// <summary>One turn.</summary>
[DeviceCode]
internal readonly struct Once : IUnroll
{
    /// <inheritdoc/>
    public static int Count => 1;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody => body.Run(first);
}

/// <summary>Twice as many turns as <typeparamref name="TUnroll"/> has.</summary>
[DeviceCode]
internal readonly struct Twice<TUnroll> : IUnroll where TUnroll : struct, IUnroll
{
    /// <inheritdoc/>
    public static int Count => TUnroll.Count * 2;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void For<TBody>(ref TBody body, int first = 0) where TBody : struct, IUnrolledBody
    {
        TUnroll.For(ref body, first);
        TUnroll.For(ref body, first + TUnroll.Count);
    }
}
