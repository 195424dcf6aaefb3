using System.Collections.Concurrent;
using System.Text;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Memory;
using static Cliper.Kernels.Gpu.Cuda.CudaDriver;

namespace Cliper.Kernels.Gpu.Cuda;

/// <summary>
/// The kernels that are loaded into a GPU's context: compiles each to PTX or takes it from the <see cref="PtxCache"/>,
/// has the driver load it, and keeps the function and the log of the driver's compiler. Threads may ask at once; the
/// GPU's context is current on each.
/// </summary>
/// <param name="gpu">Attributes of the GPU.</param>
/// <param name="warn">Notified when the driver's compiler says that a kernel will be slow; called from any
/// thread.</param>
internal sealed unsafe class CudaModules(CudaCapabilities gpu, Action<string> warn) : IDisposable
{
    // A launch takes this much dynamic shared memory without cuFuncSetAttribute.
    private const int SharedBytesWithoutOptIn = 48 << 10;

    private readonly ConcurrentDictionary<GpuKernel, Lazy<nint>> _functions = [];
    private readonly ConcurrentBag<nint> _modules = [];
    private readonly ConcurrentDictionary<string, string> _logs = [];
    private readonly CancellationTokenSource _stop = new();
    private Task _loading = Task.CompletedTask;

    /// <summary>
    /// The log of the driver's compiler for each kernel that is loaded by now, by name: registers, spills, warnings. It
    /// is empty for a kernel that the driver had in its own cache.
    /// </summary>
    public IReadOnlyList<(string Kernel, string Log)> Logs =>
        [.. _logs.OrderBy(entry => entry.Key, StringComparer.Ordinal).Select(entry => (entry.Key, entry.Value))];

    /// <summary>The function of a kernel, which is loaded when it is first asked for.</summary>
    /// <exception cref="DeviceException">The driver refuses the kernel, now or when it was first asked for.</exception>
    /// <exception cref="InvalidOperationException">The kernel does not compile.</exception>
    public nint Function(GpuKernel kernel) =>
        _functions.GetOrAdd(kernel, _ => new Lazy<nint>(() => Load(kernel))).Value;

    /// <summary>
    /// Begins to load kernels on other threads, in their order, so that a launch finds its kernel loaded. A model does
    /// not use all of them; the others are then in the caches for the next process.
    /// </summary>
    /// <param name="kernels">The kernels; those that the GPU cannot run are left out.</param>
    /// <param name="activations">The 16-bit format in use; kernels of the other one are left out.</param>
    /// <param name="makeCurrent">Makes the GPU's context current on the calling thread.</param>
    public void LoadInBackground(IEnumerable<GpuKernel> kernels, ElementType activations, Action makeCurrent)
    {
        Type other = activations == ElementType.BFloat16 ? typeof(Fp16) : typeof(Bf16);
        _loading = Task.Run(() => LoadAll(kernels.Where(kernel => gpu.Supports(kernel.Target)
            && !(kernel.Method.IsGenericMethod
                && kernel.Method.GetGenericArguments().Any(type => type.Uses(other)))), makeCurrent));
    }

    /// <summary>Stops loading in the background, once the kernels that are being loaded are.</summary>
    public void StopLoading()
    {
        _stop.Cancel();
        _loading.Wait();
    }

    /// <summary>Unloads all modules, after <see cref="StopLoading"/>; no kernel may run any more.</summary>
    public void Dispose()
    {
        _stop.Dispose();
        // An error here has occurred before, and been reported.
        foreach (nint module in _modules)
            _ = cuModuleUnload(module);
    }

    private void LoadAll(IEnumerable<GpuKernel> kernels, Action makeCurrent)
    {
        const int MaxWorkers = 8;
        var options = new ParallelOptions
        {
            MaxDegreeOfParallelism = Math.Clamp(Environment.ProcessorCount - 1, 1, MaxWorkers),
        };
        Parallel.ForEach(Partitioner.Create(kernels, EnumerablePartitionerOptions.NoBuffering), options,
            (kernel, state) =>
        {
            if (_stop.IsCancellationRequested)
            {
                state.Stop();
                return;
            }
            try
            {
                makeCurrent();
                Function(kernel);
            }
            catch (Exception failure) when (failure is DeviceException or InvalidOperationException)
            {
                // Lazy keeps the exception and throws it again where the kernel is used, if it ever is.
            }
        });
    }

    private nint Load(GpuKernel kernel)
    {
        if (kernel.SharedBytes > gpu.SharedBytes)
            throw new DeviceException(DeviceFailure.KernelUnsupported,
                $"{kernel.Name} needs {kernel.SharedBytes} bytes of "
                + $"shared memory, {gpu.Name} has {gpu.SharedBytes}");
        nint module = LoadModule(kernel, out string log);
        _modules.Add(module);
        _logs[kernel.Name] = log;
        if (CompilerLog.Complaint(log) is { } complaint)
            warn($"{kernel.Name} is slower than it should be, as {gpu.Name}'s driver compiles it: {complaint}");
        string work = $"loading {kernel.Name}";
        Check(cuModuleGetFunction(out nint function, module, KernelCompiler.Entry), work);
        const int MaxDynamicSharedSizeBytes = 8;
        if (kernel.SharedBytes > SharedBytesWithoutOptIn)
            Check(cuFuncSetAttribute(function, MaxDynamicSharedSizeBytes, kernel.SharedBytes), work);
        return function;
    }

    private nint LoadModule(GpuKernel kernel, out string log)
    {
        const int InfoLogBuffer = 3, InfoLogBufferSize = 4, ErrorLogBuffer = 5, ErrorLogBufferSize = 6, LogVerbose = 12,
            LogBytes = 8192, OutOfMemory = 2;
        byte[] ptx = Encoding.UTF8.GetBytes(PtxCache.Default.Get(kernel) + "\0");
        byte[] info = new byte[LogBytes], errors = new byte[LogBytes];
        int result;
        nint module;
        fixed (byte* start = ptx, infoStart = info, errorsStart = errors)
        {
            int* options = stackalloc int[]
                { InfoLogBuffer, InfoLogBufferSize, ErrorLogBuffer, ErrorLogBufferSize, LogVerbose };
            nint* values = stackalloc nint[] { (nint)infoStart, LogBytes, (nint)errorsStart, LogBytes, 1 };
            result = cuModuleLoadDataEx(out module, start, 5, options, values);
        }
        log = CompilerLog.OneLine(info);
        if (result is not (0 or OutOfMemory))
            throw new DeviceException(DeviceFailure.KernelRefused,
                $"{gpu.Name}'s driver does not load {kernel.Name} (PTX "
                + $"{kernel.Target.Row().PtxVersion}): {Failed(nameof(cuModuleLoadDataEx), result)}: "
                + CompilerLog.OneLine(errors));
        Check(result, $"loading {kernel.Name}", nameof(cuModuleLoadDataEx));
        return module;
    }
}
