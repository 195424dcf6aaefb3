using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// An NVIDIA GPU. All memory that the program may use is reserved at once and sub-allocated. Kernels, copies and
/// memsets go to one stream; uploads go through pinned staging buffers and a copy stream to device staging buffers,
/// from where the work stream copies them at their turn, so that they overlap with kernels. <see cref="GpuDevices"/>
/// opens one.
/// </summary>
public sealed unsafe class CudaDevice : GpuDevice
{
    // With CLIPER_CUDA_SYNC=1, seconds after which a kernel that has not ended is named.
    private const int Patience = 10;

    private readonly int _device;
    private readonly nint _context, _stream, _copyStream;
    private readonly CudaReservation _memory;
    private readonly CudaModules _modules;
    private readonly bool _synchronizesEach = Environment.GetEnvironmentVariable("CLIPER_CUDA_SYNC") == "1";
    private readonly Action<string> _warn;

    // The device whose context is current on this thread. It is not the context's handle, which a device that is opened
    // later may get again.
    [ThreadStatic]
    private static CudaDevice? _current;

    /// <summary>Opens a GPU.</summary>
    /// <param name="ordinal">Its number, from 0.</param>
    /// <param name="memory">Bytes to reserve; 0 for nine tenths of the free memory.</param>
    /// <param name="activations">fp16 or bf16.</param>
    /// <param name="graphs">Whether repeated steps are replayed as CUDA graphs.</param>
    /// <param name="warn">See <see cref="GpuDevices.OpenCuda"/>; called from any thread.</param>
    /// <param name="kernels">
    /// The kernels to load in the background. The first is loaded at once: a driver that cannot compile, as in a
    /// container without all of its libraries, shows there.
    /// </param>
    /// <exception cref="DeviceException">The GPU cannot be used; the exception has the reason.</exception>
    internal CudaDevice(int ordinal, long memory, ElementType activations, bool graphs, Action<string> warn,
        IEnumerable<GpuKernel> kernels) : base(activations)
    {
        _warn = warn;
        (_device, _context) = CudaCapabilities.Open(ordinal);
        try
        {
            MakeCurrent();
            Capabilities = CudaCapabilities.Read(_device);
            Capabilities.CheckRuns(Activations);
            _memory = new CudaReservation(Capabilities, memory);
            const uint NonBlocking = 1;
            Check(cuStreamCreate(out _stream, NonBlocking));
            Check(cuStreamCreate(out _copyStream, NonBlocking));
            _memory.CreateStaging();
            _modules = new CudaModules(Capabilities, _warn);
            Load(kernels.First());
            // The kernels of a graph cannot be synchronized with one by one.
            if (graphs && !_synchronizesEach)
                EnableGraphs();
            _modules.LoadInBackground(kernels, Activations, MakeCurrent);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether there is an NVIDIA driver, whether or not it finds a GPU that can be used.</summary>
    public static bool HasDriver => IsPresent;

    /// <summary>Why this machine has no GPU to use at all; null where it has one.</summary>
    public static DeviceException? WhyNone() => CudaCapabilities.WhyNone();

    /// <summary>Attributes of the GPU and its driver.</summary>
    public CudaCapabilities Capabilities { get; } = null!;

    /// <inheritdoc/>
    public override string Name =>
        $"{Capabilities.Name}, CUDA driver {Capabilities.DriverText}, {Activations.Describe()}";

    private protected override Arena Arena => _memory.Arena;

    internal override int Multiprocessors => Capabilities.Multiprocessors;

    /// <summary>
    /// The log of the driver's compiler for each kernel that is loaded by now, by name: registers, spills, warnings. It
    /// is empty for a kernel that the driver had in its own cache.
    /// </summary>
    public IReadOnlyList<(string Kernel, string Log)> KernelLogs => _modules.Logs;

    /// <summary>Whether matrix products and attention run on tensor cores.</summary>
    public bool UsesTensorCores => HasTensorCores;

    /// <summary>
    /// Captures and replays a small graph; <see cref="GpuDevice.UsesGraphs"/> then says whether the driver takes
    /// graphs.
    /// </summary>
    /// <exception cref="DeviceException">The GPU stopped or is out of memory.</exception>
    public void TryGraph()
    {
        DeviceArray array = Allocate(1);
        for (int step = 0; step < 2; step++)
            RunStep(() => Clear(array));
        Free(array);
        Synchronize();
    }

    internal override bool Supports(GpuTarget target) => Capabilities.Supports(target);

    /// <summary>Compiles and loads a kernel, as its first launch does.</summary>
    /// <exception cref="DeviceException">The driver refuses it.</exception>
    internal void Load(GpuKernel kernel)
    {
        MakeCurrent();
        _modules.Function(kernel);
    }

    internal override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        MakeCurrent();
        nint function = _modules.Function(kernel);
        const nint BufferPointer = 1, BufferSize = 2, End = 0;
        nuint size = (nuint)arguments.Length;
        fixed (byte* buffer = arguments)
        {
            nint* extra = stackalloc nint[] { BufferPointer, (nint)buffer, BufferSize, (nint)(&size), End };
            Check(cuLaunchKernel(function, (uint)blocks.X, (uint)blocks.Y, (uint)blocks.Z, (uint)kernel.Threads, 1, 1,
                (uint)kernel.SharedBytes, _stream, null, extra), $"launching {kernel.Name}");
        }
        if (_synchronizesEach)
            SynchronizeEach($"running {kernel.Name}");
    }

    internal override void Copy(nint source, nint target, long bytes)
    {
        MakeCurrent();
        Check(cuMemcpyDtoDAsync_v2(target, source, (nuint)bytes, _stream));
        if (_synchronizesEach)
            SynchronizeEach("copying");
    }

    internal override void Clear(nint target, long bytes)
    {
        MakeCurrent();
        Check(cuMemsetD8Async(target, 0, (nuint)bytes, _stream));
        if (_synchronizesEach)
            SynchronizeEach("clearing memory");
    }

    // An error that shows here is of this kernel or copy and no other. One that never ends is named too.
    private void SynchronizeEach(string work)
    {
        using var patience = new Timer(_ => _warn($"{work} on {Capabilities.Name} has not ended after {Patience} s"),
            null,
            TimeSpan.FromSeconds(Patience), Timeout.InfiniteTimeSpan);
        Check(cuStreamSynchronize(_stream), work);
    }

    /// <inheritdoc/>
    public override void Synchronize()
    {
        Flush();
        MakeCurrent();
        Check(cuStreamSynchronize(_stream));
    }

    /// <inheritdoc/>
    public override void Upload(ReadOnlySpan<byte> source, DeviceArray target)
    {
        CheckSizes(source.Length, target.Bytes);
        MakeCurrent();
        StagingBuffers staging = Staging;
        for (int done = 0; done < source.Length;)
        {
            if (staging.IsFull)
            {
                Flush();
                staging.Swap();
            }
            (int bytes, nint staged) = staging.Write(source[done..], _copyStream);
            Queue(new(null, default, staged, target.Address + done, bytes));
            done += bytes;
        }
    }

    /// <inheritdoc/>
    public override void Download(DeviceArray source, Span<byte> target)
    {
        CheckSizes(source.Bytes, target.Length);
        Flush();
        MakeCurrent();
        fixed (byte* to = target)
        {
            Check(cuMemcpyDtoHAsync_v2((nint)to, source.Address, (nuint)target.Length, _stream));
            Check(cuStreamSynchronize(_stream));
        }
    }

    private StagingBuffers Staging => IsInStep ? _memory.InSteps : _memory.BetweenSteps;

    private protected override void BeforeSubmit()
    {
        if (!Staging.HasUnsubmitted)
            return;
        MakeCurrent();
        Staging.BeforeCopies(_copyStream, _stream);
    }

    private protected override void AfterSubmit()
    {
        if (Staging.HasUnsubmitted)
            Staging.AfterCopies(_stream);
    }

    // The next step's uploads need not wait for the end of this one.
    private protected override void AfterStep()
    {
        if (Staging.IsUsed)
            Staging.Swap();
    }

    internal override nint Capture(CommandList work)
    {
        MakeCurrent();
        nint graph = CudaGraph.Capture(_stream, () => work.SubmitTo(this), out string? failure);
        if (failure is not null)
            _warn($"steps are launched kernel by kernel: {Capabilities.Name}'s driver makes no CUDA graph of them "
                + $"({failure})");
        return graph;
    }

    internal override void Replay(nint graph)
    {
        MakeCurrent();
        Check(cuGraphLaunch(graph, _stream), "replaying a step");
    }

    internal override void DestroyGraph(nint graph)
    {
        if (graph != 0)
            _ = cuGraphExecDestroy(graph);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        // An error here has occurred before, and been reported. Fields that the constructor did not reach are null.
        _modules?.StopLoading();
        _ = cuCtxSetCurrent(_context);
        ForEachStream(cuStreamSynchronize);
        DestroyGraphs();
        _memory?.DestroyStaging();
        _modules?.Dispose();
        base.Dispose();
        ForEachStream(cuStreamDestroy_v2);
        _ = cuDevicePrimaryCtxRelease_v2(_device);
        _current = null;

        void ForEachStream(Func<nint, int> call)
        {
            foreach (nint stream in new[] { _copyStream, _stream })
                if (stream != 0)
                    _ = call(stream);
        }
    }

    private protected override void FreeSegments()
    {
        foreach ((nint address, _) in _memory?.Arena.Segments ?? [])
            _ = cuMemFree_v2(address);
    }

    private void MakeCurrent()
    {
        if (_current == this)
            return;
        Check(cuCtxSetCurrent(_context));
        _current = this;
    }
}
