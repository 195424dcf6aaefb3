using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.Cuda;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels;

/// <summary>Opens GPUs with the kernels of all operations.</summary>
public static class GpuDevices
{
    /// <summary>The reason why a program that was compiled ahead of time, or trimmed, has no GPU.</summary>
    internal const string NeedsCompiler = "ILGPU reads the IL of the kernels, so OpenCuda refuses where there is none.";

    /// <summary>
    /// Opens an NVIDIA GPU. Its kernels are compiled and loaded in the background, or at their first launch.
    /// </summary>
    /// <param name="ordinal">The GPU's number, from 0.</param>
    /// <param name="memory">Bytes to reserve; 0 for nine tenths of the free memory.</param>
    /// <param name="activations">fp16 or bf16.</param>
    /// <param name="graphs">Whether repeated steps are replayed as CUDA graphs.</param>
    /// <param name="warn">
    /// Notified when the driver refuses a graph (once; steps are then launched kernel by kernel) and when its compiler
    /// says that a kernel will be slow. Called from any thread.
    /// </param>
    /// <exception cref="DeviceException">
    /// There is no driver or too old a one, no such GPU or too old a one, or too little memory; or the program was
    /// compiled ahead of time.
    /// </exception>
    public static CudaDevice OpenCuda(int ordinal = 0, long memory = 0, ElementType activations = ElementType.Float16,
        bool graphs = true, Action<string>? warn = null) => RuntimeFeature.IsDynamicCodeSupported
        ? new(ordinal, memory, activations, graphs, warn ?? (_ => { }), KernelsFor(activations))
        : throw new DeviceException(DeviceFailure.KernelUnsupported,
            "this program was compiled ahead of time, and GPU kernels are compiled while a program runs");

    // Opening a GPU loads the first one, a small kernel that every model uses, and enumerates the others later, on
    // another thread.
    private static IEnumerable<GpuKernel> KernelsFor(ElementType activations)
    {
        yield return ElementwiseKernels.Find<ElementwiseKernels.Sum>(activations, activations, activations);
        foreach (GpuKernel kernel in KernelRegistry.All)
            yield return kernel;
    }
}
