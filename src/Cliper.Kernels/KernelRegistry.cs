using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels;

/// <summary>Every GPU kernel that is launched, so that each can be compiled, checked and assembled without a GPU.</summary>
internal static class KernelRegistry
{
    /// <summary>All of them.</summary>
    public static IEnumerable<GpuKernel> All =>
    [
        .. ElementwiseKernels.Kernels, .. Gemm.GpuKernels, .. ColumnSum.GpuKernels, .. LayerNorm.GpuKernels, .. L2Normalize.GpuKernels,
        .. Sum.GpuKernels, .. GradientNorm.GpuKernels, .. SoftmaxCrossEntropy.GpuKernels, .. CliperLoss.GpuKernels,
        .. Gather.GpuKernels, .. TokenRows.Kernels, .. Mean.GpuKernels, .. PatchEmbedding.GpuKernels, .. AdamWUpdate.GpuKernels,
        .. MmaSyncAttention.Kernels, .. SimtAttention.Kernels, .. Resize.GpuKernels, .. AffineWarp.GpuKernels, .. ColorJitter.GpuKernels,
        .. Normalize.GpuKernels, .. Convolution.GpuKernels, .. DepthwiseConvolution.GpuKernels, .. MaxPool.GpuKernels,
        .. GpuRoofline.Kernels,
    ];
}
