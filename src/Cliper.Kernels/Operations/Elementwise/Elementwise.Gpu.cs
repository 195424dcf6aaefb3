using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>What <see cref="ElementwiseKernels"/> computes of each element.</summary>
internal interface IElementFunction
{
    /// <summary>Whether the first operand is read.</summary>
    static abstract bool ReadsFirst { get; }

    /// <summary>Whether the second operand is read.</summary>
    static abstract bool ReadsSecond { get; }

    /// <summary>The result for one element.</summary>
    static abstract float Apply(float a, float b, float factor);
}

/// <summary>y = f(a, b) or y += f(a, b), element by element on a GPU: 16-byte accesses, fp32 and 16-bit formats in any mixture.</summary>
internal static class ElementwiseKernels
{
    private const int Threads = 256, PerThread = 8;

    private static readonly KernelFamily Family = new(typeof(ElementwiseKernels), nameof(Loop), "Element", Threads, 1, 64);

    /// <summary>Runs over all elements of <paramref name="y"/>.</summary>
    /// <param name="gpu">Where.</param>
    /// <param name="a">As many elements as <paramref name="y"/>.</param>
    /// <param name="b">As many, or one for all; null where the function reads no second operand.</param>
    /// <param name="y">The result.</param>
    /// <param name="factor">Given to the function.</param>
    /// <param name="accumulate">Whether to add to <paramref name="y"/>.</param>
    public static void Run<TFunction>(GpuDevice gpu, DeviceArray a, DeviceArray b, DeviceArray y, float factor = 0,
        bool accumulate = false) where TFunction : struct, IElementFunction
    {
        bool one = !b.IsNull && b.Length == 1 && y.Length != 1;
        // A b that is one for all is read by its own scalar load and needs no alignment.
        bool vectorized = (a.Address | y.Address | (one ? 0 : b.Address)) % 16 == 0;
        gpu.Run(Find<TFunction>(a.Type, b.IsNull ? a.Type : b.Type, y.Type), new Blocks(Blocks.Cover(y.Length, Threads * PerThread)),
            a, b, y, y.Length, factor, accumulate, one, vectorized);
    }

    /// <summary>The kernel of a function and the types of its operands.</summary>
    public static GpuKernel Find<TFunction>(ElementType a, ElementType b, ElementType y) where TFunction : struct, IElementFunction =>
        Family[typeof(TFunction), a.PointerType(), b.PointerType(), y.PointerType()];

    /// <summary>Those that operations use.</summary>
    public static IEnumerable<GpuKernel> Kernels
    {
        get
        {
            const ElementType F = ElementType.Float32;
            foreach (ElementType type in Dtypes.AllFloating)
            {
                yield return Find<Sum>(type, type, type);
                yield return Find<Forward<QuickGelu>>(type, type, type);
                yield return Find<Forward<Gelu>>(type, type, type);
                yield return Find<Forward<Relu>>(type, type, type);
                yield return Find<Backward<QuickGelu>>(type, type, type);
                yield return Find<Backward<Gelu>>(type, type, type);
                yield return Find<Backward<Relu>>(type, type, type);
            }
            yield return Find<Forward<Exp>>(F, F, F);
            yield return Find<Backward<Exp>>(F, F, F);
            yield return Find<Product>(F, F, F);
            yield return Find<Second>(F, F, F);
            yield return Find<Scaled>(F, F, F);
            yield return Find<Same>(F, F, F);
            foreach (ElementType type in Dtypes.All16)
            {
                yield return Find<Same>(F, F, type);
                yield return Find<Same>(type, type, F);
            }
        }
    }

    private static void Loop<TFunction, TA, TB, TY>(TA a, TB b, TY y, long count, float factor, int accumulate, int one, int vectorized)
        where TFunction : struct, IElementFunction
        where TA : struct, IGlobalPtr
        where TB : struct, IGlobalPtr
        where TY : struct, IGlobalPtr
    {
        long start = ((long)Grid.IdxX * Threads + Group.IdxX) * PerThread;
        if (start >= count)
            return;
        float second = 0;
        if (TFunction.ReadsSecond && one != 0)
            second = b.Load(0);
        if (vectorized != 0 && start + PerThread <= count)
        {
            Vec8 va = default, vb = default;
            if (TFunction.ReadsFirst)
                va = a.Load8(start);
            if (TFunction.ReadsSecond)
                vb = one != 0 ? All(second) : b.Load8(start);
            Vec8 value = Apply<TFunction>(va, vb, factor);
            y.Store8(start, accumulate != 0 ? Add(y.Load8(start), value) : value);
            return;
        }
        for (long i = start; i < start + PerThread && i < count; i++)
        {
            if (TFunction.ReadsSecond && one == 0)
                second = b.Load(i);
            float value = TFunction.Apply(TFunction.ReadsFirst ? a.Load(i) : 0f, second, factor);
            y.Store(i, accumulate != 0 ? y.Load(i) + value : value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Apply<TFunction>(Vec8 a, Vec8 b, float factor) where TFunction : struct, IElementFunction => new()
    {
        A = TFunction.Apply(a.A, b.A, factor),
        B = TFunction.Apply(a.B, b.B, factor),
        C = TFunction.Apply(a.C, b.C, factor),
        D = TFunction.Apply(a.D, b.D, factor),
        E = TFunction.Apply(a.E, b.E, factor),
        F = TFunction.Apply(a.F, b.F, factor),
        G = TFunction.Apply(a.G, b.G, factor),
        H = TFunction.Apply(a.H, b.H, factor),
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Add(Vec8 a, Vec8 b) => Apply<Sum>(a, b, 0);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 All(float value) =>
        new() { A = value, B = value, C = value, D = value, E = value, F = value, G = value, H = value };

    /// <summary>a + b.</summary>
    internal readonly struct Sum : IElementFunction
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => true;

        public static float Apply(float a, float b, float factor) => a + b;
    }

    /// <summary>a b.</summary>
    internal readonly struct Product : IElementFunction
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => true;

        public static float Apply(float a, float b, float factor) => a * b;
    }

    /// <summary>factor a.</summary>
    internal readonly struct Scaled : IElementFunction
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => false;

        public static float Apply(float a, float b, float factor) => a * factor;
    }

    /// <summary>a as it is: conversion between types.</summary>
    internal readonly struct Same : IElementFunction
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => false;

        public static float Apply(float a, float b, float factor) => a;
    }

    /// <summary>b: a constant from the device.</summary>
    internal readonly struct Second : IElementFunction
    {
        public static bool ReadsFirst => false;

        public static bool ReadsSecond => true;

        public static float Apply(float a, float b, float factor) => b;
    }

    /// <summary>f(a).</summary>
    internal readonly struct Forward<TOperation> : IElementFunction where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => false;

        public static float Apply(float a, float b, float factor) => TOperation.Forward(a);
    }

    /// <summary>f'(a) b.</summary>
    internal readonly struct Backward<TOperation> : IElementFunction where TOperation : struct, IUnaryOperation
    {
        public static bool ReadsFirst => true;

        public static bool ReadsSecond => true;

        public static float Apply(float a, float b, float factor) => TOperation.Derivative(a) * b;
    }
}
