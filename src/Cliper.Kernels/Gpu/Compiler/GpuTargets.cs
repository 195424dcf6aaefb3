namespace Cliper.Kernels.Gpu.Compiler;

/// <summary>
/// The generation of GPU that a kernel is written for; <see cref="GpuTargets"/> says what each needs.
/// </summary>
internal enum GpuTarget
{
    /// <summary>SIMT code, without tensor cores.</summary>
    Simt,

    /// <summary>SIMT code that converts to and from bf16.</summary>
    BFloat16,

    /// <summary>Ampere's tensor cores: mma.sync m16n8k16 on 16-bit operands, ldmatrix, cp.async.</summary>
    MmaSync,

    /// <summary>Hopper's tensor cores: wgmma.</summary>
    Wgmma,
}

/// <summary>One line of the table of GPU targets.</summary>
/// <param name="Target">The target.</param>
/// <param name="Name">The name that tables of results give to kernels of this target.</param>
/// <param name="PtxVersion">The ".version" of the PTX.</param>
/// <param name="Architecture">The ".target" of the PTX.</param>
/// <param name="Capability">Ten times the compute capability that the PTX needs.</param>
/// <param name="IsExact">Whether it runs on that compute capability alone, and not on later ones.</param>
/// <param name="Driver">CUDA version of the oldest driver that takes the PTX version, such as 11080 for 11.8.</param>
internal sealed record GpuTargetRow(GpuTarget Target, string Name, string PtxVersion, string Architecture,
    int Capability, bool IsExact, int Driver)
{
    /// <summary>Whether a GPU and its driver take PTX of this target.</summary>
    /// <param name="capability">Ten times the GPU's compute capability.</param>
    /// <param name="driver">The driver's CUDA version, such as 12040.</param>
    public bool RunsOn(int capability, int driver) =>
        driver >= Driver && (IsExact ? capability == Capability : capability >= Capability);
}

/// <summary>
/// The table of GPU targets, in the order of <see cref="GpuTarget"/>: a new generation is one line here. The compiler
/// takes the header of a kernel's PTX from it, and a device which kernels it runs.
/// </summary>
internal static class GpuTargets
{
    /// <summary>All targets, the one with the fewest needs first.</summary>
    public static IReadOnlyList<GpuTargetRow> All { get; } =
    [
        new(GpuTarget.Simt, "portable", "7.8", "sm_70", 70, false, 11080),
        new(GpuTarget.BFloat16, "portable", "7.8", "sm_80", 80, false, 11080),
        new(GpuTarget.MmaSync, "tensor cores", "7.8", "sm_80", 80, false, 11080),
        new(GpuTarget.Wgmma, "tensor cores, wgmma", "8.0", "sm_90a", 90, true, 12000),
    ];

    /// <summary>The line of a target.</summary>
    public static GpuTargetRow Row(this GpuTarget target) => All[(int)target];
}
