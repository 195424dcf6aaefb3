using Cliper.Kernels.Ptx;

namespace Cliper.Kernels.Operations;

/// <summary>Every GPU kernel that operations launch, so that each can be compiled, checked and assembled without a GPU.</summary>
internal static class KernelCatalogue
{
    /// <summary>All of them.</summary>
    public static IEnumerable<GpuKernel> All => [.. ElementLoop.Kernels, .. MatMul.GpuKernels];
}
