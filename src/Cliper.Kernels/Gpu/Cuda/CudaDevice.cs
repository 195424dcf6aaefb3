using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// An NVIDIA card. All its memory that the program may use is reserved at once and sub-allocated. Work goes to one stream; uploads go
/// through pinned buffers and a stream of their own to a place set aside, from where the work copies them at its turn, so that they run
/// beside what is computed. Kernels are compiled beside the work, or when first used; the driver keeps what it made of them on disk.
/// </summary>
public sealed unsafe class CudaDevice : GpuDevice
{
    // Driver 11.8: the first that knows the PTX version of the kernels' texts.
    // From Ampere on there are its tensor cores, and conversions to bf16.
    private const int OldestDriver = 11080, OldestCapability = 70, AmpereCapability = 80;
    // wgmma is of this capability alone, and its PTX version of driver 12.0.
    private const int WgmmaCapability = 90, OldestWgmmaDriver = 12000;
    private const int MultiprocessorsAttribute = 16, MajorAttribute = 75, MinorAttribute = 76, MaxSharedAttribute = 97;
    private const int UsualShared = 48 << 10;

    // A result of the driver.
    private const int OutOfMemory = 2;

    // A batch that fits one buffer of the first pair is uploaded while the GPU computes. That pair takes at most a sixteenth of the
    // reservation. The steps' pair is smaller: a step uploads labels and tables.
    private const long MostStaging = 128 << 20;
    private const int ShareOfStaging = 32, ShareOfSteps = 16;

    // Seconds after which a piece of work that is waited for is named.
    private const int Patience = 10;

    // Of the smallest model that is of use, with its training.
    private const long LeastMemory = 64 << 20;

    private readonly int _device;
    private readonly nint _context, _stream, _uploads;
    private readonly Arena _arena;
    private readonly long _reservation, _staged;
    private readonly ConcurrentDictionary<GpuKernel, Lazy<nint>> _functions = [];
    private readonly ConcurrentBag<nint> _modules = [];
    private readonly ConcurrentDictionary<string, string> _logs = [];
    // A step has a pair of its own, so that it finds its uploads at the same addresses whatever was uploaded before it.
    private readonly StagingBuffers? _betweenSteps, _inSteps;
    private readonly bool _awaitsEach = Environment.GetEnvironmentVariable("CLIPER_CUDA_SYNC") == "1";
    private readonly Action<string> _warn;
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _compiling = Task.CompletedTask;

    // The device whose context is this thread's: not the context, which a device opened later may have again.
    [ThreadStatic]
    private static CudaDevice? _current;

    /// <summary>What can be said of a card without using it.</summary>
    /// <param name="Name">As the driver calls it.</param>
    /// <param name="Capability">Ten times the compute capability, such as 90.</param>
    /// <param name="Driver">CUDA version of the driver, such as 12040.</param>
    /// <param name="FreeBytes">Memory nobody uses.</param>
    /// <param name="TotalBytes">All memory.</param>
    public readonly record struct Description(string Name, int Capability, int Driver, long FreeBytes, long TotalBytes);

    /// <summary>Opens a card.</summary>
    /// <param name="ordinal">Which, from 0.</param>
    /// <param name="memory">Bytes to reserve; 0 for nine tenths of what is free.</param>
    /// <param name="activations">fp16 or bf16.</param>
    /// <param name="graphs">Whether steps are sent as CUDA graphs when they come again.</param>
    /// <param name="warn">
    /// Notified when the driver refuses a graph (once; steps are then launched piece by piece) and when its compiler says that a kernel
    /// will be slow. Called from any thread.
    /// </param>
    /// <exception cref="DeviceException">No driver or too old a one, no such card or too old a one, or too little memory.</exception>
    public CudaDevice(int ordinal = 0, long memory = 0, ElementType activations = ElementType.Float16, bool graphs = true,
        Action<string>? warn = null) : base(activations)
    {
        _warn = warn ?? (_ => { });
        if (Missing() is { } reason)
            throw new DeviceException(reason);
        Check(cuDeviceGetCount(out int count), "counting devices");
        if (ordinal < 0 || ordinal >= count)
            throw new DeviceException($"there is no CUDA device {ordinal}: this machine has {count}, numbered from 0");
        Check(cuDeviceGet(out _device, ordinal), "opening the device");
        const int Taken = 46;
        int opened = cuDevicePrimaryCtxRetain(out _context, _device);
        if (opened == Taken)
            throw new DeviceException($"{NameOf(_device)} cannot be used now: another program has it to itself (its compute mode), or "
                + "nobody may have it; use another card, or --device cpu");
        Check(opened, "opening the device");
        try
        {
            MakeCurrent();
            Check(cuMemGetInfo_v2(out nuint free, out nuint total), "asking for its memory");
            Check(cuDriverGetVersion(out int driver), "asking for the driver's version");
            Details = new Description(NameOf(_device), 10 * Attribute(MajorAttribute) + Attribute(MinorAttribute), driver, (long)free,
                (long)total);
            if (Details.Capability < OldestCapability)
                throw new DeviceException($"{Details.Name} has compute capability {Details.Capability / 10}.{Details.Capability % 10}; the "
                    + $"kernels need {OldestCapability / 10}.{OldestCapability % 10} (Volta) or later: use --device cpu");
            if (Activations == ElementType.BFloat16 && Details.Capability < AmpereCapability)
                throw new DeviceException($"{Details.Name} has compute capability {Details.Capability / 10}.{Details.Capability % 10}; bf16 "
                    + $"needs {AmpereCapability / 10}.{AmpereCapability % 10} (Ampere) or later: use --precision fp16");
            Multiprocessors = Attribute(MultiprocessorsAttribute);
            _reservation = (memory > 0 ? memory : (long)(free * 0.9)) / Arena.Alignment * Arena.Alignment;
            if (_reservation > (long)free || _reservation < LeastMemory)
                throw new DeviceException($"{Details.Name} has {Megabytes((long)free)} of {Megabytes((long)total)} free; "
                    + (_reservation > (long)free
                        ? $"{Megabytes(memory)} were asked for: lower --gpu-memory, or end what else uses the card"
                        : $"at least {Megabytes(LeastMemory)} are needed: "
                            + (memory > 0 ? "raise --gpu-memory" : "end what else uses the card")));
            long staging = Math.Min(MostStaging, _reservation / ShareOfStaging);
            _betweenSteps = new StagingBuffers(staging / Arena.Alignment * Arena.Alignment);
            _inSteps = new StagingBuffers(staging / ShareOfSteps / Arena.Alignment * Arena.Alignment);
            _staged = _betweenSteps.DeviceBytes + _inSteps.DeviceBytes;
            _arena = new Arena(Reserve, _reservation - _staged, Exhausted);
            // Now, and not when work has begun.
            _arena.Free(_arena.Allocate(0));
            const uint NonBlocking = 1;
            Check(cuStreamCreate(out _stream, NonBlocking), "creating a stream");
            Check(cuStreamCreate(out _uploads, NonBlocking), "creating a stream");
            (nint start, long size) = _arena.Segments[0];
            _betweenSteps.Create(start + (nint)size);
            _inSteps.Create(start + (nint)(size + _betweenSteps.DeviceBytes));
            // A driver that cannot compile, as in a container without all of its libraries, shows here.
            Function(ElementwiseKernels.Find<ElementwiseKernels.Sum>(Activations, Activations, Activations));
            // A graph's kernels cannot be waited for one by one.
            if (graphs && !_awaitsEach)
                EnableGraphs();
            _compiling = Task.Run(LoadAll);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Whether there is a driver, whether or not it finds a card that can be used.</summary>
    public static bool HasDriver => IsPresent;

    /// <summary>Why there is no card to use at all; null where there is one.</summary>
    public static string? Missing()
    {
        if (!IsPresent)
            return "no usable CUDA device: this machine has no NVIDIA driver (libcuda.so.1 is not found); install one, or use --device cpu";
        int result = cuInit(0);
        const int NoDevice = 100;
        if (result == NoDevice)
            return "no usable CUDA device: the NVIDIA driver finds none; use --device cpu";
        if (result != 0)
            return $"no usable CUDA device: the NVIDIA driver does not start ({NameOfError(result)}); use --device cpu";
        if (cuDriverGetVersion(out int version) != 0 || version < OldestDriver)
            return $"no usable CUDA device: the NVIDIA driver is for CUDA {version / 1000}.{version % 1000 / 10}, too old; one for "
                + $"{OldestDriver / 1000}.{OldestDriver % 1000 / 10} or later is needed, or --device cpu";
        return cuDeviceGetCount(out int count) != 0 || count == 0 ? "no usable CUDA device: the NVIDIA driver finds none; use --device cpu" : null;
    }

    /// <summary>What this card is.</summary>
    public Description Details { get; }

    /// <inheritdoc/>
    public override string Name =>
        $"{Details.Name}, CUDA driver {Details.Driver / 1000}.{Details.Driver % 1000 / 10}, {Activations.Describe()}";

    private protected override Arena Arena => _arena;

    internal override int Multiprocessors { get; }

    /// <summary>
    /// What the driver's compiler has said of each kernel that is loaded by now, by name: registers, spills, warnings. Empty for a
    /// kernel that the driver had in its cache.
    /// </summary>
    public IReadOnlyList<(string Kernel, string Log)> KernelLogs =>
        [.. _logs.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => (entry.Key, entry.Value))];

    /// <summary>Whether matrix products and attention run on tensor cores.</summary>
    public bool UsesTensorCores => HasTensorCores;

    /// <summary>Has the driver make a small graph and replay it; <see cref="GpuDevice.UsesGraphs"/> then says whether it does.</summary>
    public void TryGraph()
    {
        DeviceArray array = Allocate(1);
        for (int step = 0; step < 2; step++)
            RunStep(() => Clear(array));
        Free(array);
        Synchronize();
    }

    internal override bool HasTensorCores => Details.Capability >= AmpereCapability;

    internal override bool HasWgmma => Details is { Capability: WgmmaCapability, Driver: >= OldestWgmmaDriver };

    /// <summary>Whether the card and its driver have what a kernel needs.</summary>
    internal bool Takes(GpuKernel kernel) => kernel.Target switch
    {
        GpuTarget.Simt => true,
        GpuTarget.Wgmma => HasWgmma,
        _ => HasTensorCores,
    };

    private protected override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        MakeCurrent();
        nint function = Function(kernel);
        const nint BufferPointer = 1, BufferSize = 2, End = 0;
        nuint size = (nuint)arguments.Length;
        fixed (byte* buffer = arguments)
        {
            nint* extra = stackalloc nint[] { BufferPointer, (nint)buffer, BufferSize, (nint)(&size), End };
            Check(cuLaunchKernel(function, (uint)blocks.X, (uint)blocks.Y, (uint)blocks.Z, (uint)kernel.Threads, 1, 1,
                (uint)kernel.SharedBytes, _stream, null, extra), $"launching {kernel.Name}");
        }
        if (_awaitsEach)
            Await($"running {kernel.Name}");
    }

    private protected override void Copy(nint source, nint target, long bytes)
    {
        MakeCurrent();
        Check(cuMemcpyDtoDAsync_v2(target, source, (nuint)bytes, _stream), "copying");
        if (_awaitsEach)
            Await("copying");
    }

    private protected override void Clear(nint target, long bytes)
    {
        MakeCurrent();
        Check(cuMemsetD8Async(target, 0, (nuint)bytes, _stream), "clearing memory");
        if (_awaitsEach)
            Await("clearing memory");
    }

    // An error that shows here is of this work and no other. Work that never ends is named too.
    private void Await(string work)
    {
        using var patience = new Timer(_ => _warn($"{work} on {Details.Name} has not ended after {Patience} s"), null,
            TimeSpan.FromSeconds(Patience), Timeout.InfiniteTimeSpan);
        Check(cuStreamSynchronize(_stream), work);
    }

    /// <inheritdoc/>
    public override void Synchronize()
    {
        Flush();
        MakeCurrent();
        Check(cuStreamSynchronize(_stream), "waiting for it");
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
                staging.Turn();
            }
            (int part, nint landing) = staging.Write(source[done..], _uploads);
            Queue(new(null, default, landing, target.Address + done, part));
            done += part;
        }
    }

    private StagingBuffers Staging => (IsInStep ? _inSteps : _betweenSteps)!;

    private protected override void BeforeSubmit()
    {
        if (!Staging.IsOpen)
            return;
        MakeCurrent();
        Staging.Sending(_uploads, _stream);
    }

    private protected override void AfterSubmit()
    {
        if (Staging.IsOpen)
            Staging.Sent(_stream);
    }

    // The next step's uploads need not wait for the end of this one.
    private protected override void AfterStep()
    {
        if (Staging.IsUsed)
            Staging.Turn();
    }

    private protected override nint Capture(CommandList work)
    {
        MakeCurrent();
        const int ThreadLocal = 1;
        int result = cuStreamBeginCapture_v2(_stream, ThreadLocal);
        if (result != 0)
            return Refused(NameOfError(result));
        string? failure = null;
        try
        {
            SubmitEach(work);
        }
        catch (DeviceException reason)
        {
            failure = reason.Message;
        }
        // A capture that failed has to be ended too.
        result = cuStreamEndCapture(_stream, out nint graph);
        nint executable = 0;
        if (failure is null && result == 0)
            result = cuGraphInstantiateWithFlags(out executable, graph, 0);
        if (graph != 0)
            _ = cuGraphDestroy(graph);
        return failure is null && result == 0 ? executable : Refused(failure ?? NameOfError(result));
    }

    private nint Refused(string reason)
    {
        _warn($"steps are launched kernel by kernel: {Details.Name}'s driver makes no CUDA graph of them ({reason})");
        return 0;
    }

    private protected override void Replay(nint graph)
    {
        MakeCurrent();
        Check(cuGraphLaunch(graph, _stream), "replaying a step");
    }

    private protected override void DestroyGraph(nint graph)
    {
        if (graph != 0)
            _ = cuGraphExecDestroy(graph);
    }

    /// <inheritdoc/>
    public override void Download(DeviceArray source, Span<byte> target)
    {
        CheckSizes(source.Bytes, target.Length);
        Flush();
        MakeCurrent();
        fixed (byte* to = target)
        {
            Check(cuMemcpyDtoHAsync_v2((nint)to, source.Address, (nuint)target.Length, _stream), "reading from it");
            Check(cuStreamSynchronize(_stream), "reading from it");
        }
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        // Whatever fails here has failed before and been said.
        _ended.Cancel();
        _compiling.Wait();
        _ = cuCtxSetCurrent(_context);
        // What the constructor did not come to is null.
        EndIfMade(_uploads, cuStreamSynchronize);
        EndIfMade(_stream, cuStreamSynchronize);
        DestroyGraphs();
        _betweenSteps?.Destroy();
        _inSteps?.Destroy();
        foreach (nint module in _modules)
            _ = cuModuleUnload(module);
        foreach ((nint address, _) in _arena?.Segments ?? [])
            _ = cuMemFree_v2(address);
        EndIfMade(_uploads, cuStreamDestroy_v2);
        EndIfMade(_stream, cuStreamDestroy_v2);
        _ended.Dispose();
        _ = cuDevicePrimaryCtxRelease_v2(_device);
        _current = null;

        static void EndIfMade(nint made, Func<nint, int> end)
        {
            if (made != 0)
                _ = end(made);
        }
    }

    /// <summary>Compiles and loads a kernel, as its first launch does.</summary>
    /// <exception cref="DeviceException">The driver does not take it.</exception>
    internal void Load(GpuKernel kernel)
    {
        MakeCurrent();
        Function(kernel);
    }

    private nint Reserve(long bytes)
    {
        // What uploads pass through lies behind the arena's.
        bytes += _staged;
        int result = cuMemAlloc_v2(out nint address, (nuint)bytes);
        if (result == OutOfMemory)
            throw new DeviceException($"out of GPU memory: {Megabytes(bytes)} were asked for, {Megabytes(Details.FreeBytes)} of "
                + $"{Megabytes(Details.TotalBytes)} were free: lower --gpu-memory, or end what else uses the card");
        Check(result, $"reserving {Megabytes(bytes)}");
        return address;
    }

    private DeviceException Exhausted(long bytes) => new($"out of GPU memory: {Megabytes(bytes)} were asked for, "
        + $"{Megabytes(_reservation - _staged - LiveBytes)} of the {Megabytes(_reservation)} reserved are free; a smaller batch, "
        + "more accumulated micro-batches or recomputed blocks need less, --gpu-memory reserves more");

    // Beside the work, in the order of the catalogue but for the other 16-bit format: what a model does not use is compiled too, and found on the
    // driver's disk next time.
    private void LoadAll()
    {
        const int MostWorkers = 8;
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount - 1, 1, MostWorkers),
        };
        Type other = Activations == ElementType.BFloat16 ? typeof(Fp16) : typeof(Bf16);
        IEnumerable<GpuKernel> kernels = KernelRegistry.All.Where(kernel => Takes(kernel)
            && !(kernel.Method.IsGenericMethod && kernel.Method.GetGenericArguments().Any(type => type.Uses(other))));
        Parallel.ForEach(Partitioner.Create(kernels, EnumerablePartitionerOptions.NoBuffering), options, (kernel, state) =>
            {
                if (_ended.IsCancellationRequested)
                {
                    state.Stop();
                    return;
                }
                try
                {
                    Load(kernel);
                }
                catch (Exception failure) when (failure is DeviceException or InvalidOperationException)
                {
                    // It is kept and comes again where the kernel is used, if it is.
                }
            });
    }

    private nint Function(GpuKernel kernel) => _functions.GetOrAdd(kernel, _ => new Lazy<nint>(() => LoadModule(kernel))).Value;

    private nint LoadModule(GpuKernel kernel)
    {
        if (kernel.SharedBytes > Attribute(MaxSharedAttribute))
            throw new DeviceException($"{kernel.Name} needs {kernel.SharedBytes} bytes of shared memory, {Details.Name} has {Attribute(MaxSharedAttribute)}");
        const int InfoLog = 3, InfoLogSize = 4, ErrorLog = 5, ErrorLogSize = 6, LogVerbose = 12, LogBytes = 8192;
        byte[] text = Encoding.UTF8.GetBytes(PtxCache.Default.Get(kernel) + "\0"), said = new byte[LogBytes], errors = new byte[LogBytes];
        int result;
        nint module;
        fixed (byte* start = text, saidStart = said, errorsStart = errors)
        {
            int* names = stackalloc int[] { InfoLog, InfoLogSize, ErrorLog, ErrorLogSize, LogVerbose };
            nint* values = stackalloc nint[] { (nint)saidStart, LogBytes, (nint)errorsStart, LogBytes, 1 };
            result = cuModuleLoadDataEx(out module, start, 5, names, values);
        }
        if (result == OutOfMemory)
            throw new DeviceException($"out of GPU memory, loading {kernel.Name}: lower --gpu-memory, beside which kernels need some of their own");
        if (result != 0)
            throw new DeviceException($"{Details.Name}'s driver does not load {kernel.Name} (PTX {KernelCompiler.Header(kernel.Target).Version}, CUDA error {result}): "
                + $"{CompilerLog.OneLine(errors)}; a newer driver may, or use --device cpu");
        string log = _logs[kernel.Name] = CompilerLog.OneLine(said);
        if (CompilerLog.Complaint(log) is { } complaint)
            _warn($"{kernel.Name} is slower than it should be, as {Details.Name}'s driver compiles it: {complaint}");
        _modules.Add(module);
        Check(cuModuleGetFunction(out nint function, module, KernelCompiler.Entry), $"loading {kernel.Name}");
        const int MaxDynamicShared = 8;
        if (kernel.SharedBytes > UsualShared)
            Check(cuFuncSetAttribute(function, MaxDynamicShared, kernel.SharedBytes), $"loading {kernel.Name}");
        return function;
    }

    private void MakeCurrent()
    {
        if (_current == this)
            return;
        Check(cuCtxSetCurrent(_context), "making it current");
        _current = this;
    }

    private int Attribute(int attribute)
    {
        Check(cuDeviceGetAttribute(out int value, attribute, _device), "asking for its attributes");
        return value;
    }

    private static string NameOf(int device)
    {
        const int Length = 256;
        byte* name = stackalloc byte[Length];
        Check(cuDeviceGetName(name, Length, device), "asking for its name");
        return Marshal.PtrToStringUTF8((nint)name)!;
    }

    // As a person gives them to --gpu-memory.
    private static string Megabytes(long bytes) => $"{bytes >> 20} MiB";
}
