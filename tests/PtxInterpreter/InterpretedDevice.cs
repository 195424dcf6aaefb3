using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;

namespace PtxInterpreter;

/// <summary>
/// A GPU made of the interpreter: every launch runs the very PTX that a card would get. New arrays hold NaN, an access outside
/// an array is an error, and so is a race in shared memory.
/// </summary>
internal sealed unsafe class InterpretedDevice(ElementType activations = ElementType.Float16) : GpuDevice(activations)
{
    private static readonly Dictionary<GpuKernel, Program> Programs = [];

    private readonly GlobalMemory _memory = new();

    public override string Name => "PTX interpreter";

    private protected override Arena Arena { get; } = HostArena(segmentBytes: 1 << 20);

    internal override int Multiprocessors => Hopper ? 2 : 4;

    internal override bool HasTensorCores => TensorCores;

    internal override bool HasWgmma => Hopper;

    /// <summary>Whether kernels for tensor cores are used.</summary>
    public bool TensorCores { get; init; } = true;

    /// <summary>Whether kernels for Hopper are used.</summary>
    public bool Hopper { get; init; }

    /// <summary>What is done to each kernel's text before it is run: a fault that should be found.</summary>
    public Func<string, string>? Planted { get; init; }

    /// <summary>Instructions executed, counted for each thread.</summary>
    public long Executed { get; private set; }

    private protected override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        Program program;
        lock (Programs)
            if (Planted is not null)
                program = new Program(Planted(kernel.Text));
            else if (!Programs.TryGetValue(kernel, out program!))
                Programs.Add(kernel, program = new Program(kernel.Text));
        try
        {
            Executed += program.Launch((blocks.X, blocks.Y, blocks.Z), arguments.ToArray(), kernel.SharedBytes, _memory);
        }
        catch (PtxException failure)
        {
            throw new InvalidOperationException($"{kernel.Name}: {failure.Message}", failure);
        }
    }

    private protected override void Allocated(DeviceArray array)
    {
        new Span<byte>((void*)array.Address, checked((int)array.Bytes)).Fill(0xff);
        _memory.Add((ulong)array.Address, array.Bytes);
    }

    private protected override void Freeing(DeviceArray array) => _memory.Remove((ulong)array.Address);

    public override void Synchronize()
    {
    }
}
