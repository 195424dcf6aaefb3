using System.ComponentModel;
using Cliper.Kernels.Cpu.MachineCode;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Cpu;

/// <summary>
/// The CPU: fp32 in managed SIMD on all its cores. On request the operands of GEMMs, attention and convolutions are
/// rounded to bf16 and multiplied by emitted machine code; sums and all that is stored are fp32 even then.
/// </summary>
public sealed class CpuDevice : Device
{
    /// <summary>Makes a device with an arena and threads of its own.</summary>
    /// <param name="threads">Number of threads that an operation uses; 0 means one per core.</param>
    /// <param name="level">Instruction set; null means the best that this CPU has.</param>
    /// <param name="operands">Dtype that the operands of GEMMs are rounded to: fp32 (as they are) or bf16.</param>
    /// <exception cref="ArgumentException">The CPU lacks the instruction set, the number is negative, or the dtype is
    /// another one.</exception>
    /// <exception cref="DeviceException">The CPU cannot multiply in bf16; see
    /// <see cref="Bf16Support.Missing"/>.</exception>
    public CpuDevice(int threads = 0, SimdLevel? level = null, ElementType operands = ElementType.Float32)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Level = level ?? SimdLevels.Best;
        if (Level > SimdLevels.Best)
            throw new ArgumentException($"this CPU has no {Level}; its best is {SimdLevels.Best}", nameof(level));
        if (operands is not (ElementType.Float32 or ElementType.BFloat16))
            throw new ArgumentException($"the CPU multiplies in fp32 or bf16, not in {operands.Describe()}",
                nameof(operands));
        if (operands == ElementType.BFloat16)
            Bf16 = EmitBf16();
        Pool = new WorkPool(threads == 0 ? Environment.ProcessorCount : threads);
    }

    private CpuDevice(int threads, SimdLevel level, Bf16Kernels kernels)
    {
        Level = level;
        Bf16 = kernels;
        Pool = new WorkPool(threads);
    }

    /// <summary>A device that multiplies in bf16 as this CPU would with VDPBF16PS, thousands of times slower: for
    /// tests.</summary>
    internal static CpuDevice EmulatingBf16(int threads, SimdLevel level) =>
        new(threads, level, Bf16Kernels.Emulating());

    private Bf16Kernels? EmitBf16()
    {
        if (Bf16Support.Missing is { } missing)
            throw new DeviceException(DeviceFailure.CpuBFloat16Unsupported,
                $"this CPU cannot multiply in bf16: {missing}");
        if (Level != SimdLevel.Avx512)
            throw new ArgumentException($"bf16 needs {SimdLevel.Avx512}, not {Level}");
        try
        {
            return new Bf16Kernels();
        }
        catch (Win32Exception refusal)
        {
            WhyNotBf16 = $"the system allows no executable memory: {refusal.Message}";
            return null;
        }
    }

    /// <summary>The threads that run the units of an operation in parallel.</summary>
    public WorkPool Pool { get; }

    /// <summary>Number of threads that an operation uses.</summary>
    public int Threads => Pool.Threads;

    /// <summary>Instruction set the kernels use.</summary>
    public SimdLevel Level { get; }

    /// <summary>Dtype that the operands of GEMMs are rounded to.</summary>
    public ElementType Operands => Bf16 is null ? ElementType.Float32 : ElementType.BFloat16;

    /// <summary>The reason why this device computes in fp32 although bf16 was asked for; else null.</summary>
    public string? WhyNotBf16 { get; private set; }

    /// <summary>The micro-kernels for bf16 operands; null where they are fp32.</summary>
    internal Bf16Kernels? Bf16 { get; }

    /// <inheritdoc/>
    public override string Name => $"CPU, {Level.Describe()}, {(Bf16 is null ? "" : "bf16 operands, ")}{Threads} "
        + (Threads == 1 ? "thread" : "threads");

    private protected override Arena Arena { get; } = HostArena();

    internal override bool HasSpans => true;

    /// <inheritdoc/>
    public override void Dispose()
    {
        Pool.Dispose();
        Bf16?.Dispose();
        base.Dispose();
    }
}
