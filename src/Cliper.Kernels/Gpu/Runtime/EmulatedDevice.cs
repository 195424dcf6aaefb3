using System.Reflection;
using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;
using ILGPU;
using ILGPU.IR.Intrinsics;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;

namespace Cliper.Kernels.Gpu.Runtime;

/// <summary>
/// A card imitated by ILGPU's CPU accelerator: the portable kernels run as .NET code, a thread of the processor for each of a block's,
/// from the same launches as on a card. Thousands of times slower than <see cref="CpuDevice"/>: for the smallest shapes, to follow a
/// kernel in a debugger, and to prove the launches. An access outside an array is not noticed.
/// </summary>
public sealed class EmulatedDevice : GpuDevice
{
    private const int Warp = 32, MostThreads = 256;

    // ILGPU's threads find what they run here, one launch at a time.
    private static readonly Lock Turn = new();
    private static MethodInvoker? _method;
    private static object?[] _arguments = [];
    private static Exception? _failure;

    private readonly Context _context = Context.Create(_ => { });
    private readonly CPUAccelerator _accelerator;
    private readonly Kernel _threads;

    /// <summary>A device of its own memory and threads.</summary>
    /// <param name="activations">fp16 or bf16.</param>
    public EmulatedDevice(ElementType activations = ElementType.Float16)
        : base(activations)
    {
        _accelerator = new CPUDevice(Warp, MostThreads / Warp, numMultiprocessors: 1)
            .CreateCPUAccelerator(_context, CPUAcceleratorMode.Parallel);
        _threads = _accelerator.LoadKernel(((Action<int>)RunThread).Method);
    }

    /// <inheritdoc/>
    public override string Name => $"emulated GPU, portable kernels, {Activations.Describe()}";

    private protected override Arena Arena { get; } = HostArena(segmentBytes: 1 << 20);

    internal override int Multiprocessors => 1;

    internal override bool HasTensorCores => false;

    internal override bool HasWgmma => false;

    /// <exception cref="DeviceException">The kernel threw, as one does that needs tensor cores.</exception>
    private protected override void Launch(GpuKernel kernel, Blocks blocks, ReadOnlySpan<byte> arguments)
    {
        lock (Turn)
        {
            (_method, _arguments, _failure) = (MethodInvoker.Create(kernel.Method), kernel.Unpack(arguments), null);
            _threads.Launch(_accelerator.DefaultStream, new KernelConfig((blocks.X, blocks.Y, blocks.Z), (kernel.Threads, 1, 1)), 0);
            _accelerator.Synchronize();
            if (_failure is { } failure)
                throw new DeviceException($"{kernel.Name} does not run on the emulated GPU: {failure.Message}");
        }
    }

    // The generated code that calls this sees neither private methods nor internal types, which is what kernels and their arguments
    // are, so that ILGPU is given this one kernel for all. It needs an argument.
    internal static void RunThread(int unused) => RunKernel(unused);

    // An intrinsic to ILGPU: it calls it and does not look inside.
    [IntrinsicImplementation]
    private static void RunKernel(int unused)
    {
        try
        {
            _method!.Invoke(null, _arguments.AsSpan());
        }
        catch (Exception failure)
        {
            // Out of a thread of ILGPU's it would end the program.
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
