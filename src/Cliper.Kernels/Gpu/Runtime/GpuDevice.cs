using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// What runs GPU kernels: an NVIDIA card, or something that imitates one. Weights are kept in fp32,
/// activations and their gradients in a 16-bit format. Work is queued in the order in which it is given; only reading back waits for it.
/// </summary>
/// <param name="activations">The 16-bit format.</param>
public abstract unsafe class GpuDevice(ElementType activations) : Device
{
    private CudaGraphCache? _graphs;
    // Of the step that is being queued.
    private CommandList? _step;

    /// <inheritdoc/>
    public sealed override ElementType Activations { get; } = activations is ElementType.Float16 or ElementType.BFloat16
        ? activations
        : throw new ArgumentException($"activations of {activations}: a GPU stores them in 16 bits", nameof(activations));

    /// <summary>Multiprocessors, by which work is cut where it has to be cut.</summary>
    internal abstract int Multiprocessors { get; }

    /// <summary>Whether kernels that need tensor cores with m16n8k16 products, ldmatrix and cp.async run here.</summary>
    internal abstract bool HasTensorCores { get; }

    /// <summary>Whether kernels for Hopper with wgmma run here.</summary>
    internal abstract bool HasWgmma { get; }

    /// <summary>Kernels that were queued: which implementations a piece of work used.</summary>
    internal HashSet<GpuKernel> Launched { get; } = [];

    /// <summary>
    /// What did the work queued since the last call: "tensor cores, wgmma" or "tensor cores" where a kernel that was queued needs
    /// them, else "portable".
    /// </summary>
    public string TakeImplementation()
    {
        GpuTarget most = Launched.Select(kernel => kernel.Target).DefaultIfEmpty().Max();
        Launched.Clear();
        return most switch
        {
            GpuTarget.Wgmma => "tensor cores, wgmma",
            GpuTarget.MmaSync => "tensor cores",
            _ => "portable",
        };
    }

    /// <summary>How often a step's work was launched, captured and replayed.</summary>
    internal (int Launched, int Captured, int Replayed) StepCounts => _graphs?.Counts ?? default;

    /// <summary>Whether a step that comes again is sent as one graph.</summary>
    public bool UsesGraphs => _graphs is { AreTaken: true };

    /// <summary>Whether a step is being queued.</summary>
    private protected bool IsInStep { get; private set; }

    /// <summary>Lets steps be sent as graphs.</summary>
    private protected void EnableGraphs() => _graphs = new CudaGraphCache(Capture, Replay, SubmitEach, DestroyGraph);

    /// <summary>Ends all graphs.</summary>
    private protected void DestroyGraphs() => _graphs?.End();

    /// <summary>Makes a graph of work; 0 where that is refused.</summary>
    private protected virtual nint Capture(CommandList work) => throw new NotSupportedException($"{Name} has no graphs");

    /// <summary>Queues a graph.</summary>
    private protected virtual void Replay(nint graph) => throw new NotSupportedException($"{Name} has no graphs");

    /// <summary>Ends a graph; 0 is none.</summary>
    private protected virtual void DestroyGraph(nint graph)
    {
    }

    /// <summary>Queues work piece by piece.</summary>
    private protected void SubmitEach(CommandList work) => work.ForEach(Submit);

    /// <summary>Told before work is sent: a piece, or what a step has queued.</summary>
    private protected virtual void BeforeSubmit()
    {
    }

    /// <summary>Told after it.</summary>
    private protected virtual void AfterSubmit()
    {
    }

    /// <summary>Told when a step has been sent.</summary>
    private protected virtual void AfterStep()
    {
    }

    /// <summary>Sends what of a step has been queued so far; a step that reads back in its midst is sent in parts.</summary>
    private protected void Flush()
    {
        if (_step is not { Count: > 0 } work)
            return;
        _step = new CommandList();
        BeforeSubmit();
        _graphs!.Submit(work);
        AfterSubmit();
    }

    /// <inheritdoc/>
    public sealed override void RunStep(Action step)
    {
        if (IsInStep)
        {
            step();
            return;
        }
        (IsInStep, _step) = (true, UsesGraphs ? new CommandList() : null);
        try
        {
            step();
            Flush();
            AfterStep();
        }
        finally
        {
            (IsInStep, _step) = (false, null);
        }
    }

    /// <inheritdoc/>
    public sealed override void Copy(DeviceArray source, DeviceArray target)
    {
        CheckSizes(source.Bytes, target.Bytes);
        Queue(new(null, default, source.Address, target.Address, source.Bytes));
    }

    /// <inheritdoc/>
    public sealed override void Clear(DeviceArray array) => Queue(new(null, default, 0, array.Address, array.Bytes));

    /// <summary>Sends a piece of work, or keeps it for the step in which it is.</summary>
    private protected void Queue(CommandList.Command entry, ReadOnlySpan<byte> arguments = default)
    {
        if (entry is { Kernel: null, Bytes: 0 })
            return;
        if (_step is not null)
        {
            _step.Add(entry, arguments);
            return;
        }
        BeforeSubmit();
        Submit(entry, arguments);
        AfterSubmit();
    }

    private void Submit(CommandList.Command entry, ReadOnlySpan<byte> arguments)
    {
        if (entry.Kernel is { } kernel)
            Launch(kernel, entry.Blocks, arguments);
        else if (entry.Source != 0)
            Copy(entry.Source, entry.Target, entry.Bytes);
        else
            Clear(entry.Target, entry.Bytes);
    }

    /// <summary>Queues a kernel over <paramref name="blocks"/> with the packed arguments.</summary>
    private protected abstract void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments);

    /// <summary>Queues a copy from address to address.</summary>
    private protected virtual void Copy(nint source, nint target, long bytes) =>
        Buffer.MemoryCopy((void*)source, (void*)target, bytes, bytes);

    /// <summary>Queues the clearing of bytes.</summary>
    private protected virtual void Clear(nint target, long bytes) => NativeMemory.Clear((void*)target, (nuint)bytes);

    /// <summary>Queues a kernel; a grid without blocks is nothing to do.</summary>
    internal void Run(GpuKernel kernel, Blocks blocks, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (blocks.X == 0 || blocks.Y == 0 || blocks.Z == 0)
            return;
        if (blocks.Y > Blocks.MaxOther || blocks.Z > Blocks.MaxOther)
            throw new ArgumentException($"{kernel.Name} over a grid of {blocks.X} x {blocks.Y} x {blocks.Z} blocks: at most {Blocks.MaxOther} in y and z");
        Launched.Add(kernel);
        byte[] packed = kernel.Pack(arguments);
        Queue(new(kernel, blocks, 0, 0, packed.Length), packed);
    }

    /// <summary>Waits until all that was queued is done.</summary>
    public abstract void Synchronize();
}

/// <summary>Blocks of a launch.</summary>
/// <param name="X">Fastest axis.</param>
/// <param name="Y">Second axis.</param>
/// <param name="Z">Third axis.</param>
internal readonly record struct Blocks(int X, int Y = 1, int Z = 1)
{
    /// <summary>Most blocks in y and in z.</summary>
    public const int MaxOther = 65535;

    /// <summary>As many blocks of <paramref name="each"/> as cover <paramref name="count"/>.</summary>
    public static int Cover(long count, int each) => checked((int)((count + each - 1) / each));
}
