using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;

namespace Cliper.Kernels.Operations;

/// <summary>Every GPU kernel that is launched, so that each can be compiled, checked and assembled without a GPU.</summary>
internal static class KernelCatalogue
{
    /// <summary>All of them.</summary>
    public static IEnumerable<GpuKernel> All =>
    [
        .. ElementLoop.Kernels, .. MatMul.GpuKernels, .. ColumnSum.GpuKernels, .. LayerNorm.GpuKernels, .. L2Normalize.GpuKernels,
        .. Sum.GpuKernels, .. GradientNorm.GpuKernels, .. SoftmaxCrossEntropy.GpuKernels, .. CliperLoss.GpuKernels,
        .. Gather.GpuKernels, .. TokenRows.Kernels, .. Mean.GpuKernels, .. PatchEmbedding.GpuKernels, .. AdamW.GpuKernels,
        .. TensorCoreAttention.Kernels, .. PortableAttention.Kernels, .. Resize.GpuKernels, .. Warp.GpuKernels, .. ColorJitter.GpuKernels,
        .. Normalize.GpuKernels, .. Convolution.GpuKernels, .. DepthwiseConvolution.GpuKernels, .. MaxPool.GpuKernels,
        .. GpuPeak.Kernels,
    ];
}
