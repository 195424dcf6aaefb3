using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace PtxInterpreter;

/// <summary>
/// A GPU made of the interpreter: every launch runs the very PTX that a GPU would get. New arrays hold NaN, an access
/// outside an array is an error, and so is a race in shared memory.
/// </summary>
internal sealed unsafe class InterpretedDevice(ElementType activations = ElementType.Float16) : GpuDevice(activations)
{
    private static readonly Dictionary<GpuKernel, PtxProgram> Programs = [];

    private const int StagingBytes = 1 << 20;

    private readonly GlobalMemory _memory = new();
    private readonly List<CommandList> _graphs = [];
    private readonly byte* _staging = (byte*)NativeMemory.Alloc(StagingBytes);
    private int _staged, _segments;

    public override string Name => "PTX interpreter";

    private protected override Arena Arena { get; } = HostArena(segmentBytes: 1 << 20);

    internal override int Multiprocessors => Hopper ? 2 : 4;

    // The interpreter passes for the oldest GPU of the generation, with a driver that takes every PTX version.
    internal override bool Supports(GpuTarget target) =>
        target.Row().RunsOn((Hopper ? GpuTarget.Wgmma : TensorCores ? GpuTarget.MmaSync : GpuTarget.Simt)
        .Row().Capability,
            int.MaxValue);

    /// <summary>Whether kernels for tensor cores are used.</summary>
    public bool TensorCores { get; init; } = true;

    /// <summary>Whether kernels for Hopper are used.</summary>
    public bool Hopper { get; init; }

    /// <summary>Changes each kernel's PTX before it runs: plants a fault that a test expects to be found.</summary>
    public Func<string, string>? Planted { get; init; }

    /// <summary>
    /// Whether a step's work is recorded and, when it comes again, what was recorded is done instead of it: with the
    /// addresses and numbers of the first time. Accesses are then checked against whole segments only, as arrays end
    /// before the work on them is done.
    /// </summary>
    public bool Graphs
    {
        get;
        init
        {
            if (field = value)
                EnableGraphs();
        }
    }

    /// <summary>Instructions executed, counted for each thread.</summary>
    public long Executed { get; private set; }

    internal override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        PtxProgram program;
        lock (Programs)
            if (Planted is not null)
                program = new PtxProgram(Planted(kernel.Ptx));
            else if (!Programs.TryGetValue(kernel, out program!))
                Programs.Add(kernel, program = new PtxProgram(kernel.Ptx));
        while (Graphs && _segments < Arena.Segments.Count)
        {
            (nint start, long size) = Arena.Segments[_segments++];
            _memory.Add((ulong)start, size);
        }
        try
        {
            Executed += program.Launch((blocks.X, blocks.Y, blocks.Z), arguments.ToArray(),
                kernel.SharedBytes, _memory);
        }
        catch (PtxException failure)
        {
            throw new InvalidOperationException($"{kernel.Name}: {failure.Message}", failure);
        }
    }

    internal override nint Capture(CommandList work)
    {
        _graphs.Add(work);
        return _graphs.Count;
    }

    internal override void Replay(nint graph) => _graphs[(int)graph - 1].SubmitTo(this);

    // A step's upload is done at its turn, from where it has been put in the meantime.
    public override void Upload(ReadOnlySpan<byte> source, DeviceArray target)
    {
        if (!IsInStep || !UsesGraphs)
        {
            base.Upload(source, target);
            return;
        }
        CheckSizes(source.Length, target.Bytes);
        var staged = new Span<byte>(_staging + _staged, StagingBytes - _staged);
        source.CopyTo(staged);
        Queue(new(null, default, (nint)_staging + _staged, target.Address, source.Length));
        _staged += source.Length;
    }

    private protected override void AfterStep() => _staged = 0;

    public override void Download(DeviceArray source, Span<byte> target)
    {
        Flush();
        base.Download(source, target);
    }

    private protected override void Allocated(DeviceArray array)
    {
        if (Graphs)
            return;
        new Span<byte>((void*)array.Address, checked((int)array.Bytes)).Fill(0xff);
        _memory.Add((ulong)array.Address, array.Bytes);
    }

    private protected override void Freeing(DeviceArray array)
    {
        if (!Graphs)
            _memory.Remove((ulong)array.Address);
    }

    public override void Synchronize() => Flush();

    public override void Dispose()
    {
        NativeMemory.Free(_staging);
        base.Dispose();
    }
}
