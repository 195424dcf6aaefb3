using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Attention
{
    private static void ForwardGpu(GpuDevice gpu, in Sizes sizes, in Operand q, in Operand k, in Operand v, DeviceArray keyLengths,
        in Operand output, DeviceArray logSumExp)
    {
        CheckHead(gpu, sizes);
        if (gpu.HasTensorCores && Suit(sizes, q, k, v, output))
            MmaSyncAttention.Forward(gpu, sizes, q, k, v, keyLengths, output, logSumExp);
        else
            SimtAttention.Forward(gpu, sizes, q, k, v, keyLengths, output, logSumExp);
    }

    private static void BackwardGpu(GpuDevice gpu, in Sizes sizes, in Operand q, in Operand k, in Operand v, DeviceArray keyLengths,
        DeviceArray logSumExp, in Operand output, in Operand doutput, in Operand dq, bool accumulateQ, in Operand dk, in Operand dv,
        bool accumulateKv)
    {
        CheckOperand(output, sizes, sizes.Queries, nameof(output));
        CheckHead(gpu, sizes);
        DeviceArray statistics = gpu.Allocate(2L * sizes.Samples * sizes.Heads * MmaSyncAttention.StatisticRows(sizes.Queries));
        MmaSyncAttention.Statistics(gpu, sizes, output, doutput, logSumExp, statistics);
        if (gpu.HasTensorCores && Suit(sizes, q, k, v, doutput) && (dq.IsNull || Suit(sizes, dq)) && (dk.IsNull || Suit(sizes, dk, dv)))
            MmaSyncAttention.Backward(gpu, sizes, q, k, v, keyLengths, statistics, doutput, dq, accumulateQ, dk, dv, accumulateKv);
        else
            SimtAttention.Backward(gpu, sizes, q, k, v, keyLengths, statistics, doutput, dq, accumulateQ, dk, dv, accumulateKv);
        gpu.Free(statistics);
    }

    private static void CheckHead(GpuDevice gpu, in Sizes sizes)
    {
        if (sizes.HeadSize > MmaSyncAttention.MaxHeadSize)
            throw new ArgumentException($"heads of {sizes.HeadSize}: on {gpu.Name} their size is at most "
                + $"{MmaSyncAttention.MaxHeadSize}; use the CPU for such a model");
    }

    // Tensor cores take rows that begin at multiples of 16 bytes.
    private static bool Suit(in Sizes sizes, params ReadOnlySpan<Operand> operands)
    {
        if (sizes.HeadSize % 8 != 0)
            return false;
        foreach (Operand operand in operands)
            if (operand.Stride % 8 != 0 || operand.FromFirst.Address % 16 != 0)
                return false;
        return true;
    }
}
