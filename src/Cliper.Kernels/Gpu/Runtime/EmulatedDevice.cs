using System.Reflection;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;
using ILGPU;
using ILGPU.IR.Intrinsics;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// A GPU emulated by ILGPU's CPU accelerator: the portable kernels run as .NET code, one CPU thread for each thread of
/// a block, from the same launches as on a GPU. It is thousands of times slower than the CPU's own kernels: it serves
/// to follow a kernel in a debugger and to test launches, at the smallest shapes. An access outside an array is not
/// detected.
/// </summary>
public sealed class EmulatedDevice : GpuDevice
{
    private const int Warp = 32, MaxThreads = 256;

    // ILGPU's threads read the method and its arguments here, one launch at a time.
    private static readonly Lock Turn = new();
    private static MethodInvoker? _method;
    private static object?[] _arguments = [];
    private static Exception? _failure;

    private readonly Context _context = Context.Create(_ => { });
    private readonly CPUAccelerator _accelerator;
    private readonly Kernel _threads;

    /// <summary>Makes a device with memory and threads of its own.</summary>
    /// <param name="activations">fp16 or bf16.</param>
    public EmulatedDevice(ElementType activations = ElementType.Float16)
        : base(activations)
    {
        _accelerator = new CPUDevice(Warp, MaxThreads / Warp, numMultiprocessors: 1)
            .CreateCPUAccelerator(_context, CPUAcceleratorMode.Parallel);
        _threads = _accelerator.LoadKernel(((Action<int>)RunThread).Method);
    }

    /// <inheritdoc/>
    public override string Name => $"emulated GPU, portable kernels, {Activations.Describe()}";

    private protected override Arena Arena { get; } = HostArena(segmentBytes: 1 << 20);

    internal override int Multiprocessors => 1;

    internal override bool Supports(GpuTarget target) => target is GpuTarget.Simt or GpuTarget.BFloat16;

    /// <exception cref="DeviceException">The kernel threw, as one does that needs tensor cores.</exception>
    internal override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        lock (Turn)
        {
            (_method, _arguments, _failure) = (MethodInvoker.Create(kernel.Method), kernel.Unpack(arguments), null);
            _threads.Launch(_accelerator.DefaultStream, new KernelConfig((blocks.X, blocks.Y, blocks.Z),
                (kernel.Threads, 1, 1)), 0);
            _accelerator.Synchronize();
            if (_failure is { } failure)
                throw new DeviceException(DeviceFailure.KernelUnsupported,
                    $"{kernel.Name} does not run on the emulated GPU: {failure.Message}");
        }
    }

    // ILGPU's generated code sees neither private methods nor internal types, and kernels and their arguments are such.
    // So it is given this one kernel for all. ILGPU requires a parameter.
    internal static void RunThread(int unused) => RunKernel(unused);

    // ILGPU calls an intrinsic without compiling its body.
    [IntrinsicImplementation]
    private static void RunKernel(int unused)
    {
        try
        {
            _method!.Invoke(null, _arguments.AsSpan());
        }
        catch (Exception failure)
        {
            // An exception that leaves one of ILGPU's threads would end the process.
            _failure = failure;
        }
    }

    /// <inheritdoc/>
    public override void Synchronize()
    {
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
        base.Dispose();
    }
}
