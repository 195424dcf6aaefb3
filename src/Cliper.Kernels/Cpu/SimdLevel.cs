using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Kernels.Cpu;

/// <summary>Instruction sets that the CPU kernels are written for, weakest first.</summary>
public enum SimdLevel
{
    /// <summary><see cref="System.Numerics.Vector{T}"/>: whatever the runtime has, ARM included.</summary>
    Portable,

    /// <summary>AVX2 with FMA: 8 lanes, 16 registers.</summary>
    Avx2,

    /// <summary>AVX-512: 16 lanes, 32 registers.</summary>
    Avx512,
}

/// <summary>The instruction sets of this CPU.</summary>
public static class SimdLevels
{
    /// <summary>The strongest level that this CPU (and the runtime's DOTNET_Enable… switches) allows.</summary>
    public static SimdLevel Best { get; } =
        Avx512F.IsSupported && Avx512DQ.IsSupported && Vector512.IsHardwareAccelerated ? SimdLevel.Avx512
        : Avx2.IsSupported && Fma.IsSupported ? SimdLevel.Avx2
        : SimdLevel.Portable;

    /// <summary>Every level that this CPU can run, weakest first.</summary>
    public static IEnumerable<SimdLevel> Available => Enum.GetValues<SimdLevel>().Where(level => level <= Best);

    /// <summary>The name a person would use.</summary>
    public static string Describe(this SimdLevel level) => level switch
    {
        SimdLevel.Avx512 => "AVX-512",
        SimdLevel.Avx2 => "AVX2",
        _ => "Vector<T>",
    };
}
