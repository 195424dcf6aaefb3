using System.Runtime.InteropServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// A device that runs GPU kernels: an NVIDIA GPU, or an emulation of one. Weights are kept in fp32, activations and
/// their gradients in a 16-bit format. Commands execute in the order in which they are queued; only a download waits
/// for them.
/// </summary>
/// <param name="activations">The 16-bit format.</param>
public abstract unsafe class GpuDevice(ElementType activations) : Device
{
    private CudaGraphCache? _graphs;

    /// <inheritdoc/>
    public sealed override ElementType Activations { get; } = activations is ElementType.Float16 or ElementType.BFloat16
        ? activations
        : throw new ArgumentException($"activations of {activations}: a GPU stores them in 16 bits",
        nameof(activations));

    /// <summary>Number of streaming multiprocessors, by which launches choose their grids.</summary>
    internal abstract int Multiprocessors { get; }

    /// <summary>Whether kernels of a target run here.</summary>
    internal abstract bool Supports(GpuTarget target);

    /// <summary>Whether kernels of <see cref="GpuTarget.MmaSync"/> run here.</summary>
    internal bool HasTensorCores => Supports(GpuTarget.MmaSync);

    /// <summary>Whether kernels of <see cref="GpuTarget.Wgmma"/> run here.</summary>
    internal bool HasWgmma => Supports(GpuTarget.Wgmma);

    /// <summary>Kernels that were queued since <see cref="TakeImplementation"/>.</summary>
    internal HashSet<GpuKernel> Launched { get; } = [];

    /// <summary>
    /// Names the implementation behind the kernels queued since the last call: "tensor cores, wgmma" or "tensor cores"
    /// where one of them uses these, else "portable".
    /// </summary>
    public string TakeImplementation()
    {
        GpuTarget latest = Launched.Select(kernel => kernel.Target).DefaultIfEmpty().Max();
        Launched.Clear();
        return latest.Row().Name;
    }

    /// <summary>How often a step's command list was launched, captured and replayed.</summary>
    internal (int Launched, int Captured, int Replayed) StepCounts => _graphs?.Counts ?? default;

    /// <summary>Whether a step that is repeated is replayed as a CUDA graph.</summary>
    public bool UsesGraphs => _graphs is { AreTaken: true };

    /// <summary>Whether a step is running, see <see cref="RunStep"/>.</summary>
    private protected bool IsInStep { get; private set; }

    /// <summary>Turns on the recording of steps and their replay as graphs.</summary>
    private protected void EnableGraphs() => _graphs = new CudaGraphCache(this);

    /// <summary>Destroys all graphs.</summary>
    private protected void DestroyGraphs() => _graphs?.Clear();

    /// <summary>Captures a command list as a graph; 0 where the driver refuses.</summary>
    internal virtual nint Capture(CommandList work) =>
        throw new NotSupportedException($"{Name} has no graphs");

    /// <summary>Launches a graph.</summary>
    internal virtual void Replay(nint graph) => throw new NotSupportedException($"{Name} has no graphs");

    /// <summary>Destroys a graph; 0 is none.</summary>
    internal virtual void DestroyGraph(nint graph)
    {
    }

    /// <summary>Called before a command, or the command list of a step, is submitted.</summary>
    private protected virtual void BeforeSubmit()
    {
    }

    /// <summary>Called after a command, or the command list of a step, was submitted.</summary>
    private protected virtual void AfterSubmit()
    {
    }

    /// <summary>Called when all of a step was submitted.</summary>
    private protected virtual void AfterStep()
    {
    }

    /// <summary>
    /// Submits the commands recorded in a step so far. A step that downloads in its middle is submitted in several
    /// command lists.
    /// </summary>
    private protected void Flush()
    {
        if (_graphs is not { HasCommands: true } graphs)
            return;
        BeforeSubmit();
        graphs.SubmitRecorded();
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
        IsInStep = true;
        _graphs?.BeginStep();
        try
        {
            step();
            Flush();
            AfterStep();
        }
        finally
        {
            _graphs?.EndStep();
            IsInStep = false;
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

    /// <summary>Submits a command, or records it in a step that is being recorded.</summary>
    private protected void Queue(CommandList.Command command, ReadOnlySpan<byte> arguments = default)
    {
        if (command is { Kernel: null, Bytes: 0 })
            return;
        if (_graphs is { IsRecording: true })
        {
            _graphs.Add(command, arguments);
            return;
        }
        BeforeSubmit();
        command.SubmitTo(this, arguments);
        AfterSubmit();
    }

    /// <summary>Launches a kernel over a grid of <paramref name="blocks"/> with the packed arguments.</summary>
    internal abstract void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments);

    /// <summary>Copies bytes from address to address.</summary>
    internal virtual void Copy(nint source, nint target, long bytes) =>
        Buffer.MemoryCopy((void*)source, (void*)target, bytes, bytes);

    /// <summary>Sets bytes to zero.</summary>
    internal virtual void Clear(nint target, long bytes) => NativeMemory.Clear((void*)target, (nuint)bytes);

    /// <summary>Queues a kernel; a grid without blocks does nothing.</summary>
    /// <exception cref="ArgumentException">The grid is too large, or an argument does not fit its
    /// parameter.</exception>
    internal void Run(GpuKernel kernel, Blocks blocks, params ReadOnlySpan<KernelArgument> arguments)
    {
        if (blocks.X == 0 || blocks.Y == 0 || blocks.Z == 0)
            return;
        if (blocks.Y > Blocks.MaxOther || blocks.Z > Blocks.MaxOther)
            throw new ArgumentException(
                $"{kernel.Name} over a grid of {blocks.X} x {blocks.Y} x {blocks.Z} blocks: at most "
                + $"{Blocks.MaxOther} in y and z");
        Launched.Add(kernel);
        byte[] packed = kernel.Pack(arguments);
        Queue(new(kernel, blocks, 0, 0, packed.Length), packed);
    }

    /// <summary>Waits until all queued commands have executed.</summary>
    /// <exception cref="DeviceException">A kernel faulted, or the GPU was lost.</exception>
    public abstract void Synchronize();
}

/// <summary>The grid of a launch, in blocks.</summary>
/// <param name="X">Extent of the fastest axis.</param>
/// <param name="Y">Extent of the second axis.</param>
/// <param name="Z">Extent of the third axis.</param>
internal readonly record struct Blocks(int X, int Y = 1, int Z = 1)
{
    /// <summary>The largest extent in y and in z.</summary>
    public const int MaxOther = 65535;

    /// <summary>The number of blocks of <paramref name="each"/> elements that cover <paramref name="count"/>.</summary>
    public static int Cover(long count, int each) => checked((int)((count + each - 1) / each));
}
