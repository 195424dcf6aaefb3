using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>The function that <see cref="ElementwiseKernels"/> computes of each element.</summary>
internal interface IElementFunction
{
    /// <summary>Whether the first operand is read.</summary>
    static abstract bool ReadsFirst { get; }

    /// <summary>Whether the second operand is read.</summary>
    static abstract bool ReadsSecond { get; }

    /// <summary>The result for one element.</summary>
    static abstract float Apply(float a, float b, float factor);
}

internal static partial class ElementwiseKernels
{
    /// <summary>y (+)= f(a, b), element by element; b may be one number for all.</summary>
    /// <remarks>
    /// A thread has eight elements, with 16-byte accesses where all arrays are aligned, a block 256 threads; no shared
    /// memory. Operands may be fp32, fp16 or bf16 in any mixture. Any GPU from compute capability 7.0 on, bf16 from 8.0
    /// on.
    /// </remarks>
    [DeviceCode]
    private static void ElementwiseKernel<TFunction, TA, TB, TY>(TA a, TB b, TY y, long count, float factor,
        int accumulate, int one, int vectorized)
        where TFunction : struct, IElementFunction
        where TA : struct, IGlobalPtr
        where TB : struct, IGlobalPtr
        where TY : struct, IGlobalPtr
    {
        long start = ((long)Grid.IdxX * Threads + Group.IdxX) * PerThread;
        if (start >= count)
            return;

        // (1) Load the second operand where it is one number for all.
        float second = 0;
        if (TFunction.ReadsSecond && one != 0)
            second = b.Load(0);

        // (2) Where eight aligned elements are left, compute them at once.
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

        // (3) Elsewhere, compute them one by one.
        for (long i = start; i < start + PerThread && i < count; i++)
        {
            if (TFunction.ReadsSecond && one == 0)
                second = b.Load(i);
            float value = TFunction.Apply(TFunction.ReadsFirst ? a.Load(i) : 0f, second, factor);
            y.Store(i, accumulate != 0 ? y.Load(i) + value : value);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vec8 Apply<TFunction>(Vec8 a, Vec8 b, float factor) where TFunction : struct, IElementFunction =>
        new()
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
