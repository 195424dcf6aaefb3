using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Attention
{
    private static void ForwardGpu(GpuDevice gpu, in Sizes sizes, in Inputs inputs, in Operand output,
        DeviceArray logSumExp)
    {
        CheckHead(gpu, sizes);
        if (gpu.HasTensorCores && FitsTensorCores(sizes, inputs.Q, inputs.K, inputs.V, output))
            MmaSyncAttention.Forward(gpu, sizes, inputs, output, logSumExp);
        else
            SimtAttention.Forward(gpu, sizes, inputs, output, logSumExp);
    }

    private static void BackwardGpu(GpuDevice gpu, in Sizes sizes, in Inputs inputs, DeviceArray logSumExp,
        in Operand output, in Operand doutput, in Gradients gradients)
    {
        (OperandGradient dq, OperandGradient dk, OperandGradient dv) = gradients;
        CheckOperand(output, sizes, sizes.Queries, nameof(output));
        CheckHead(gpu, sizes);
        DeviceArray statistics =
            gpu.Allocate(2L * sizes.Samples * sizes.Heads * MmaSyncAttention.StatisticRows(sizes.Queries));
        MmaSyncAttention.ComputeDelta(gpu, sizes, output, doutput, logSumExp, statistics);
        if (gpu.HasTensorCores && FitsTensorCores(sizes, inputs.Q, inputs.K, inputs.V, doutput)
            && (dq.IsNull || FitsTensorCores(sizes, dq.Operand))
            && (dk.IsNull || FitsTensorCores(sizes, dk.Operand, dv.Operand)))
            MmaSyncAttention.Backward(gpu, sizes, inputs, statistics, doutput, gradients);
        else
            SimtAttention.Backward(gpu, sizes, inputs, statistics, doutput, gradients);
        gpu.Free(statistics);
    }

    private static void CheckHead(GpuDevice gpu, in Sizes sizes)
    {
        if (sizes.HeadSize > MmaSyncAttention.MaxHeadSize)
            throw new ArgumentException($"heads of {sizes.HeadSize}: on {gpu.Name} their size is at most "
                + $"{MmaSyncAttention.MaxHeadSize}; use the CPU for such a model");
    }

    // cp.async copies 16 bytes: every row of every head has to begin at a multiple of that.
    private static bool FitsTensorCores(in Sizes sizes, params ReadOnlySpan<Operand> operands)
    {
        if (sizes.HeadSize % 8 != 0)
            return false;
        foreach (Operand operand in operands)
            if (operand.Stride % 8 != 0 || operand.FromFirst.Address % 16 != 0)
                return false;
        return true;
    }
}

/// <content>Host code that launches the kernels of tensor cores.</content>
internal static partial class MmaSyncAttention
{
    // Instruction counts (mma, ldmatrix, cp.async). A GEMM of 16 rows with a fragment of 16 rows takes 8 mma and 4
    // ldmatrix, the fragments of the CTA's own rows 4 ldmatrix for each operand. The loop without a mask stands in
    // the PTX beside the one with it; in the forward pass the former takes two fragments at a time. A thread makes 4
    // cp.async for its own rows, 4 or, with 128 rows, 2 for a tile, each before and in the loop, and 2 for the row
    // statistics.
    private static readonly KernelFamily
        ForwardKernels = Make<Rows64>(nameof(AttentionForwardKernel), "Attention forward", 4, 128, 4, (48, 28, 20)),
        LongForwardKernels = Make<Rows128>(nameof(AttentionForwardKernel), "Attention forward", 2, 128, 4,
            (48, 28, 12)),
        DeltaKernels = new(typeof(MmaSyncAttention), nameof(AttentionDeltaKernel), "Attention statistics",
            DeltaThreads, 1, 48),
        KvKernels = Make<Rows64>(nameof(AttentionBackwardKvKernel), "Attention backward keys", 3, 168, 4, (64, 40, 26),
            2 * StatisticTileBytes),
        QueryKernels = Make<Rows64>(nameof(AttentionBackwardQKernel), "Attention backward queries", 4, 128, 4,
            (48, 32, 24)),
        LongQueryKernels = Make<Rows128>(nameof(AttentionBackwardQKernel), "Attention backward queries", 2, 128, 6,
            (48, 32, 16));

    /// <summary>All kernels of this class, for each 16-bit dtype.</summary>
    public static IEnumerable<GpuKernel> Kernels => Dtypes.All16.Select(type => type.Dtype()).SelectMany(dtype => new[]
    {
        ForwardKernels[dtype, typeof(Rows64)], LongForwardKernels[dtype, typeof(Rows128)], DeltaKernels[dtype],
        KvKernels[dtype, typeof(Rows64)], QueryKernels[dtype, typeof(Rows64)], LongQueryKernels[dtype, typeof(Rows128)],
    });

    // The tiles begin at the first multiple of a row's bytes in shared memory, of which the driver promises multiples
    // of 16.
    private static KernelFamily Make<TTile>(string method, string name, int minBlocks, int registers, int tiles,
        (int, int, int) instructions, int moreShared = 0) where TTile : struct, ICtaTile =>
        new(typeof(MmaSyncAttention), method, name, TTile.Warps * 32, minBlocks, registers,
            tiles * TileBytes + moreShared + RowBytes - 16)
        { Target = GpuTarget.MmaSync, Instructions = instructions };

    /// <summary><see cref="Attention.Forward"/> on tensor cores.</summary>
    public static void Forward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Inputs inputs,
        in Attention.Operand output, DeviceArray logSumExp)
    {
        (Attention.Operand q, Attention.Operand k, Attention.Operand v, DeviceArray keyLengths) = inputs;
        GpuKernel kernel = ForQueries(ForwardKernels, LongForwardKernels, sizes, q.Array.Type);
        gpu.Run(kernel, GridOf(sizes, sizes.Queries, kernel), q.FromFirst, k.FromFirst, v.FromFirst, output.FromFirst,
            logSumExp, keyLengths, sizes.Queries, sizes.Keys, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride,
            v.Stride, output.Stride, Log2OfE / MathF.Sqrt(sizes.HeadSize));
    }

    /// <summary><see cref="Attention.Backward"/> on tensor cores, after <see cref="ComputeDelta"/>.</summary>
    public static void Backward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Inputs inputs,
        DeviceArray statistics, in Attention.Operand doutput, in Attention.Gradients gradients)
    {
        (Attention.Operand q, Attention.Operand k, Attention.Operand v, DeviceArray keyLengths) = inputs;
        float scale = Log2OfE / MathF.Sqrt(sizes.HeadSize);
        if (!gradients.K.IsNull)
        {
            Attention.Operand dk = gradients.K.Operand, dv = gradients.V.Operand;
            GpuKernel kernel = KvKernels[q.Array.Type.Dtype(), typeof(Rows64)];
            gpu.Run(kernel, GridOf(sizes, sizes.Keys, kernel), q.FromFirst, k.FromFirst, v.FromFirst, doutput.FromFirst,
                statistics, keyLengths, dk.FromFirst, dv.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize,
                sizes.Causal, q.Stride, k.Stride, v.Stride, doutput.Stride, dk.Stride, dv.Stride, scale,
                gradients.K.Accumulate);
        }
        if (!gradients.Q.IsNull)
        {
            Attention.Operand dq = gradients.Q.Operand;
            GpuKernel kernel = ForQueries(QueryKernels, LongQueryKernels, sizes, q.Array.Type);
            gpu.Run(kernel, GridOf(sizes, sizes.Queries, kernel), q.FromFirst, k.FromFirst, v.FromFirst,
                doutput.FromFirst, statistics, keyLengths, dq.FromFirst, sizes.Queries, sizes.Keys, sizes.HeadSize,
                sizes.Causal, q.Stride, k.Stride, v.Stride, doutput.Stride, dq.Stride, scale, gradients.Q.Accumulate);
        }
    }

    /// <summary>
    /// Computes the row statistics of the backward kernels, those of <see cref="SimtAttention"/> too:
    /// [samples, heads, <see cref="StatisticRows"/>, 2] of log-sum-exp in powers of two and delta = rowsum(dO * O).
    /// </summary>
    public static void ComputeDelta(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Operand output,
        in Attention.Operand doutput, DeviceArray logSumExp, DeviceArray statistics) =>
        gpu.Run(DeltaKernels[output.Array.Type.Dtype()],
            new Blocks(Blocks.Cover(StatisticRows(sizes.Queries), DeltaThreads / DeltaLanes), sizes.Heads,
                sizes.Samples),
            output.FromFirst, doutput.FromFirst, logSumExp, statistics, sizes.Queries, StatisticRows(sizes.Queries),
            sizes.HeadSize, output.Stride, doutput.Stride,
            Vec8.IsVectorizable(sizes.HeadSize, output.Stride, output.FromFirst)
                && Vec8.IsVectorizable(sizes.HeadSize, doutput.Stride, doutput.FromFirst));

    // The more query rows a CTA has, the fewer times K and V are read; with one tile of queries, half of the larger
    // CTA would idle.
    private static GpuKernel ForQueries(KernelFamily few, KernelFamily many, in Attention.Sizes sizes,
        ElementType type) =>
        sizes.Queries > TileRows ? many[type.Dtype(), typeof(Rows128)] : few[type.Dtype(), typeof(Rows64)];

    private static Blocks GridOf(in Attention.Sizes sizes, int rows, GpuKernel kernel) =>
        new(Blocks.Cover(rows, kernel.Threads / 32 * FragmentRows), sizes.Heads, sizes.Samples);
}

/// <content>Host code that launches the SIMT kernels.</content>
internal static partial class SimtAttention
{
    private static readonly KernelFamily
        ForwardKernels = Make(nameof(SimtAttentionForwardKernel), "Attention portable forward"),
        KvKernels = Make(nameof(SimtAttentionBackwardKvKernel), "Attention portable backward keys"),
        QueryKernels = Make(nameof(SimtAttentionBackwardQKernel), "Attention portable backward queries");

    /// <summary>All kernels of this class, for each 16-bit dtype.</summary>
    public static IEnumerable<GpuKernel> Kernels =>
        [.. ForwardKernels.ForEachDtype16, .. KvKernels.ForEachDtype16, .. QueryKernels.ForEachDtype16];

    private static KernelFamily Make(string method, string name) =>
        new(typeof(SimtAttention), method, name, Threads, 1, 96);

    /// <summary><see cref="Attention.Forward"/> without tensor cores.</summary>
    public static void Forward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Inputs inputs,
        in Attention.Operand output, DeviceArray logSumExp)
    {
        (Attention.Operand q, Attention.Operand k, Attention.Operand v, DeviceArray keyLengths) = inputs;
        gpu.Run(ForwardKernels[q.Array.Type.Dtype()], GridOf(sizes.Statistics), q.FromFirst, k.FromFirst, v.FromFirst,
            output.FromFirst, logSumExp, keyLengths, sizes.Statistics, sizes.Queries, sizes.Keys, sizes.Heads,
            sizes.HeadSize, sizes.Causal, q.Stride, k.Stride, v.Stride, output.Stride,
            Log2OfE / MathF.Sqrt(sizes.HeadSize), IsVectorizable(sizes, q, k));
    }

    /// <summary>
    /// <see cref="Attention.Backward"/> without tensor cores, after <see cref="MmaSyncAttention.ComputeDelta"/>.
    /// </summary>
    public static void Backward(GpuDevice gpu, in Attention.Sizes sizes, in Attention.Inputs inputs,
        DeviceArray statistics, in Attention.Operand doutput, in Attention.Gradients gradients)
    {
        (Attention.Operand q, Attention.Operand k, Attention.Operand v, DeviceArray keyLengths) = inputs;
        float scale = 1 / MathF.Sqrt(sizes.HeadSize);
        bool vectorized = IsVectorizable(sizes, q, k, v, doutput);
        if (!gradients.K.IsNull)
        {
            Attention.Operand dk = gradients.K.Operand, dv = gradients.V.Operand;
            long rows = (long)sizes.Samples * sizes.Heads * sizes.Keys;
            gpu.Run(KvKernels[q.Array.Type.Dtype()], GridOf(rows), q.FromFirst, k.FromFirst, v.FromFirst,
                doutput.FromFirst, statistics, keyLengths, dk.FromFirst, dv.FromFirst, rows, sizes.Queries, sizes.Keys,
                sizes.Heads, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride, v.Stride, doutput.Stride, dk.Stride,
                dv.Stride, scale, gradients.K.Accumulate, vectorized);
        }
        if (gradients.Q.IsNull)
            return;
        Attention.Operand dq = gradients.Q.Operand;
        gpu.Run(QueryKernels[q.Array.Type.Dtype()], GridOf(sizes.Statistics), q.FromFirst, k.FromFirst, v.FromFirst,
            doutput.FromFirst, statistics, keyLengths, dq.FromFirst, sizes.Statistics, sizes.Queries, sizes.Keys,
            sizes.Heads, sizes.HeadSize, sizes.Causal, q.Stride, k.Stride, v.Stride, doutput.Stride, dq.Stride,
            scale, gradients.Q.Accumulate, vectorized);
    }

    private static Blocks GridOf(long rows) => new(Blocks.Cover(rows, WarpsPerCta));

    private static bool IsVectorizable(in Attention.Sizes sizes, params ReadOnlySpan<Attention.Operand> operands)
    {
        foreach (Attention.Operand operand in operands)
            if (!Vec8.IsVectorizable(sizes.HeadSize, operand.Stride, operand.FromFirst))
                return false;
        return true;
    }
}
