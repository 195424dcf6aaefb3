using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Cpu;

/// <summary>The CPU: fp32 in managed SIMD on all its cores.</summary>
public sealed class CpuDevice : Device
{
    /// <summary>Makes a device with an arena and threads of its own.</summary>
    /// <param name="threads">Number of threads that an operation uses; 0 means one per core.</param>
    /// <param name="level">Instruction set; null means the best that this CPU has.</param>
    /// <exception cref="ArgumentException">The CPU lacks the instruction set, or the number is negative.</exception>
    public CpuDevice(int threads = 0, SimdLevel? level = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        Pool = new WorkPool(threads == 0 ? Environment.ProcessorCount : threads);
        Level = level ?? SimdLevels.Best;
        if (Level > SimdLevels.Best)
            throw new ArgumentException($"this CPU has no {Level}; its best is {SimdLevels.Best}", nameof(level));
    }

    /// <summary>The threads that run the units of an operation in parallel.</summary>
    public WorkPool Pool { get; }

    /// <summary>Number of threads that an operation uses.</summary>
    public int Threads => Pool.Threads;

    /// <summary>Instruction set the kernels use.</summary>
    public SimdLevel Level { get; }

    /// <inheritdoc/>
    public override string Name =>
        $"CPU, {Level.Describe()}, {Threads} {(Threads == 1 ? "thread" : "threads")}";

    private protected override Arena Arena { get; } = HostArena();

    internal override bool HasSpans => true;

    /// <inheritdoc/>
    public override void Dispose()
    {
        Pool.Dispose();
        base.Dispose();
    }
}
