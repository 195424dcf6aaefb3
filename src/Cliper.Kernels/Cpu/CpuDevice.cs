using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Cpu;

/// <summary>The processor: fp32 in managed SIMD on all its cores.</summary>
public sealed class CpuDevice : Device
{
    /// <summary>A host device of its own memory.</summary>
    /// <param name="threads">Threads an operation uses; 0 means one a core.</param>
    /// <param name="level">Instruction set; null means the best this processor has.</param>
    public CpuDevice(int threads = 0, SimdLevel? level = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Pool = new WorkPool(threads == 0 ? Environment.ProcessorCount : threads);
        Level = level ?? SimdLevels.Best;
        if (Level > SimdLevels.Best)
            throw new ArgumentException($"this processor has no {Level}; its best is {SimdLevels.Best}", nameof(level));
    }

    /// <summary>Runs the parts of an operation side by side.</summary>
    public WorkPool Pool { get; }

    /// <summary>Threads an operation uses.</summary>
    public int Threads => Pool.Threads;

    /// <summary>Instruction set the kernels use.</summary>
    public SimdLevel Level { get; }

    /// <inheritdoc/>
    public override string Name =>
        $"CPU, {Level.Describe()}, {Threads} {(Threads == 1 ? "thread" : "threads")}";

    private protected override Arena Arena { get; } = HostArena();

    /// <inheritdoc/>
    public override void Dispose()
    {
        Pool.Dispose();
        base.Dispose();
    }
}
