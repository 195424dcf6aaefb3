using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Cliper.Kernels.Cpu;

/// <summary>Whether this CPU has VDPBF16PS, which .NET has no intrinsic for.</summary>
public static class Bf16Support
{
    private const int ExtendedFeatures = 7, Avx512Bf16Bit = 5;

    /// <summary>
    /// One clause that names what this process lacks for bf16 GEMMs on the CPU; null where it lacks nothing.
    /// </summary>
    public static string? Missing { get; } = FindMissing();

    // The runtime's AVX-512 checks include the system's support of zmm registers, and the DOTNET_EnableAVX512...
    // switches of the environment.
    private static string? FindMissing()
    {
        if (RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return "it is no x86-64 CPU, and only those have VDPBF16PS";
        if (!X86Base.IsSupported)
            return "hardware intrinsics are switched off in this process";
        if (!HasInstruction())
            return "it has no AVX512_BF16";
        return SimdLevels.Best == SimdLevel.Avx512 && Avx512BW.IsSupported ? null
            : "it has AVX512_BF16, but the system or a DOTNET_EnableAVX512 switch turns AVX-512 off";
    }

    private static bool HasInstruction()
    {
        (int highestLeaf, _, _, _) = X86Base.CpuId(0, 0);
        if (highestLeaf < ExtendedFeatures)
            return false;
        (int highestSubleaf, _, _, _) = X86Base.CpuId(ExtendedFeatures, 0);
        if (highestSubleaf < 1)
            return false;
        (int features, _, _, _) = X86Base.CpuId(ExtendedFeatures, 1);
        return (features >> Avx512Bf16Bit & 1) != 0;
    }
}
