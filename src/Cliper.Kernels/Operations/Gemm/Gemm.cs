using Cliper.Kernels.Cpu;
using Cliper.Kernels.Gpu.Runtime;

namespace Cliper.Kernels.Operations;

/// <summary>
/// GEMM, C = epilogue(scale * A B), or epilogue(C + scale * A B) when accumulating; A is [M, K], B [K, N], C [M, N].
/// On the CPU everything is fp32, with fused multiply-adds where the CPU has them, unless the device rounds operands to
/// bf16; on a GPU operands are of a 16-bit
/// dtype or fp32 and accumulators fp32. Transposes are strides (<see cref="Matrix.Transposed"/>).
/// </summary>
/// <remarks>
/// Each element is the sum over K in ascending order, split into parts that depend on K alone: the bits depend
/// neither on the number of threads nor on the other rows and columns. No term is skipped: a NaN or infinity in a row
/// of A reaches that row of C, one in a column of B that column, and zero times infinity is NaN. C must not overlap A
/// or B.
/// </remarks>
public static partial class Gemm
{
    /// <summary>C = A B.</summary>
    public static void Run(Matrix a, Matrix b, Matrix c, bool accumulate = false, float scale = 1) =>
        Run(a, b, c, default(NoEpilogue), accumulate, scale);

    /// <summary>C = epilogue(A B).</summary>
    /// <param name="a">[M, K], any strides.</param>
    /// <param name="b">[K, N], any strides.</param>
    /// <param name="c">[M, N], column stride 1.</param>
    /// <param name="epilogue">Applied to each element once its sum is complete.</param>
    /// <param name="accumulate">Whether to add to <paramref name="c"/>.</param>
    /// <param name="scale">Factor of A B.</param>
    public static void Run<TEpilogue>(Matrix a, Matrix b, Matrix c, TEpilogue epilogue, bool accumulate = false,
        float scale = 1) where TEpilogue : struct, ICpuEpilogue
    {
        b.CheckFits(nameof(b));
        CheckShapes(a, b.Rows, b.Columns, c, epilogue);
        switch (a.Data.Device)
        {
            case CpuDevice cpu:
                RunCpu(cpu, new(a, b, null, c, accumulate, scale) { Bf16 = cpu.Bf16 }, epilogue);
                break;
            case GpuDevice gpu:
                RunGpu(gpu, new(new(a, 0), new(b, 0), new(c, 0), 1, epilogue.OnGpu, accumulate, scale));
                break;
            default: throw Check.NoImplementation(nameof(Gemm), a.Data.Device);
        }
    }

    /// <summary>
    /// C = epilogue(A B) with B packed beforehand, which is several times as fast when A has few rows.
    /// </summary>
    /// <param name="a">[M, K], any strides.</param>
    /// <param name="b">[K, N].</param>
    /// <param name="c">[M, N], column stride 1.</param>
    /// <param name="epilogue">Applied to each element once its sum is complete.</param>
    /// <param name="accumulate">Whether to add to <paramref name="c"/>.</param>
    /// <param name="scale">Factor of A B.</param>
    public static void Run<TEpilogue>(Matrix a, PackedMatrix b, Matrix c, TEpilogue epilogue, bool accumulate = false,
        float scale = 1) where TEpilogue : struct, ICpuEpilogue
    {
        CheckShapes(a, b.Rows, b.Columns, c, epilogue);
        if (b.Data.Device != a.Data.Device)
            throw new ArgumentException($"b was packed on another device than {a.Data.Device.Name}", nameof(b));
        if (a.Data.Device is not CpuDevice cpu)
            throw Check.NoImplementation(nameof(Gemm), a.Data.Device);
        RunCpu(cpu, new(a, default, b, c, accumulate, scale) { Bf16 = cpu.Bf16 }, epilogue);
    }

    /// <summary>
    /// Strided batched GEMM: C[i] = A[i] B[i] for i in [0, <paramref name="count"/>). Logits and losses are made of
    /// these, so on the CPU operands stay fp32 even where the device rounds those of other GEMMs.
    /// </summary>
    /// <param name="a">Left operands, [M, K] each.</param>
    /// <param name="b">Right operands, [K, N] each.</param>
    /// <param name="c">Results, [M, N] each, column stride 1.</param>
    /// <param name="count">Number of GEMMs.</param>
    /// <param name="accumulate">Whether to add to the results.</param>
    /// <param name="scale">Factor of each A B.</param>
    public static void Batched(MatrixBatch a, MatrixBatch b, MatrixBatch c, int count, bool accumulate = false,
        float scale = 1)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        if (count == 0)
            return;
        b.First.CheckFits(nameof(b));
        CheckShapes(a.First, b.First.Rows, b.First.Columns, c.First, default(NoEpilogue));
        a.At(count - 1).CheckFits(nameof(a));
        b.At(count - 1).CheckFits(nameof(b));
        c.At(count - 1).CheckFits(nameof(c));
        switch (a.First.Data.Device)
        {
            case CpuDevice cpu: BatchedCpu(cpu, a, b, c, count, accumulate, scale); break;
            case GpuDevice gpu: RunGpu(gpu, new(a, b, c, count, GpuEpilogue.None, accumulate, scale)); break;
            default: throw Check.NoImplementation(nameof(Gemm), a.First.Data.Device);
        }
    }

    private static void CheckShapes<TEpilogue>(Matrix a, int k, int n, Matrix c, TEpilogue epilogue)
        where TEpilogue : struct, ICpuEpilogue
    {
        a.CheckFits(nameof(a));
        c.CheckFits(nameof(c));
        if (a.Columns != k || c.Rows != a.Rows || c.Columns != n)
            throw new ArgumentException(
                $"no product: [{a.Rows}, {a.Columns}] times [{k}, {n}] into [{c.Rows}, {c.Columns}]");
        if (c.ColumnStride != 1 && c.Columns > 1)
            throw new ArgumentException("c must be row-major: swap the operands and transpose them", nameof(c));
        epilogue.CheckFits(c.Rows, c.Columns);
    }
}
