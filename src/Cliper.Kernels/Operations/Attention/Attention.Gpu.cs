using Cliper.Kernels.Devices;

namespace Cliper.Kernels.Operations;

public static partial class Attention
{
    private static void ForwardGpu(GpuDevice gpu, in Sizes sizes, in Operand q, in Operand k, in Operand v, DeviceArray keyLengths,
        in Operand output, DeviceArray logSumExp)
    {
        CheckGpu(gpu, sizes, q, k, v, output);
        TensorCoreAttention.Forward(gpu, sizes, q, k, v, keyLengths, output, logSumExp);
    }

    private static void BackwardGpu(GpuDevice gpu, in Sizes sizes, in Operand q, in Operand k, in Operand v, DeviceArray keyLengths,
        DeviceArray logSumExp, in Operand output, in Operand doutput, in Operand dq, bool accumulateQ, in Operand dk, in Operand dv,
        bool accumulateKv)
    {
        CheckOperand(output, sizes, sizes.Queries, nameof(output));
        CheckGpu(gpu, sizes, q, k, v, doutput);
        TensorCoreAttention.Backward(gpu, sizes, q, k, v, keyLengths, logSumExp, output, doutput, dq, accumulateQ, dk, dv, accumulateKv);
    }

    private static void CheckGpu(GpuDevice gpu, in Sizes sizes, params ReadOnlySpan<Operand> operands)
    {
        if (!gpu.HasTensorCores)
            throw Check.NoImplementation(nameof(Attention), gpu);
        if (sizes.HeadSize % 8 != 0 || sizes.HeadSize > TensorCoreAttention.MaxHeadSize)
            throw new ArgumentException($"heads of {sizes.HeadSize}: on {gpu.Name} their size is a multiple of 8 of at most "
                + $"{TensorCoreAttention.MaxHeadSize}; use the CPU for such a model");
        foreach (Operand operand in operands)
            if (operand.Stride % 8 != 0 || operand.FromFirst.Address % 16 != 0)
                throw new ArgumentException($"rows of attention every {operand.Stride} elements, from element {operand.Offset} on: on "
                    + $"{gpu.Name} both are multiples of 8");
    }
}
