using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;

namespace Cliper.Kernels.Operations;

public static unsafe partial class Gemm
{
    private static void RunCpu<TEpilogue>(CpuDevice cpu, in CpuGemmProblem problem, TEpilogue epilogue)
        where TEpilogue : struct, ICpuEpilogue
    {
        if (problem.M == 0 || problem.N == 0)
            return;
        switch (cpu.Level)
        {
            case SimdLevel.Avx512:
                CpuGemm<Lanes512, TEpilogue>.Run(cpu, problem, epilogue);
                break;
            case SimdLevel.Avx2:
                CpuGemm<Lanes256, TEpilogue>.Run(cpu, problem, epilogue);
                break;
            default:
                CpuGemm<LanesPortable, TEpilogue>.Run(cpu, problem, epilogue);
                break;
        }
    }

    private static void BatchedCpu(CpuDevice cpu, MatrixBatch a, MatrixBatch b, MatrixBatch c, int count,
        bool accumulate, float scale)
    {
        if (c.First.Rows == 0 || c.First.Columns == 0)
            return;
        var first = new CpuGemmProblem(a.First, b.First, null, c.First, accumulate, scale);
        CpuGemmProblem At(int index) =>
            first.Moved((nint)a.Stride * index, (nint)b.Stride * index, (nint)c.Stride * index);
        switch (cpu.Level)
        {
            case SimdLevel.Avx512:
                CpuGemm<Lanes512, NoEpilogue>.RunBatch(cpu, At, count);
                break;
            case SimdLevel.Avx2:
                CpuGemm<Lanes256, NoEpilogue>.RunBatch(cpu, At, count);
                break;
            default:
                CpuGemm<LanesPortable, NoEpilogue>.RunBatch(cpu, At, count);
                break;
        }
    }

    /// <summary>Packs a B that is given as parts of its rows, from the first on.</summary>
    internal static PackedMatrix PackCpu(CpuDevice cpu, params Matrix[] parts) => cpu.Level switch
    {
        SimdLevel.Avx512 => CpuGemm<Lanes512, NoEpilogue>.Pack(cpu, parts),
        SimdLevel.Avx2 => CpuGemm<Lanes256, NoEpilogue>.Pack(cpu, parts),
        _ => CpuGemm<LanesPortable, NoEpilogue>.Pack(cpu, parts),
    };
}

/// <summary>One GEMM as pointers, sizes and strides in elements.</summary>
internal readonly unsafe struct CpuGemmProblem(Matrix a, Matrix b, PackedMatrix? packed, Matrix c, bool accumulate,
    float scale)
{
    public readonly int M = c.Rows, N = c.Columns, K = a.Columns;
    public readonly nint RowStrideA = (nint)a.RowStride, KStrideA = (nint)a.ColumnStride;
    public readonly nint KStrideB = (nint)b.RowStride, ColumnStrideB = (nint)b.ColumnStride;
    public readonly nint RowStrideC = (nint)c.RowStride;
    public readonly float* PackedB = packed is null ? null : packed.Data.Floats;
    public readonly bool Accumulate = accumulate;
    public readonly float Scale = scale;

    /// <summary>Ranges of k that A lies in; the default is one.</summary>
    public RangesOfK Parts { get; init; }

    /// <summary>The micro-kernels where operands are rounded to bf16; null where they are fp32.</summary>
    public Bf16Kernels? Bf16 { get; init; }

    /// <summary>32-bit words that so many ks of a lane take in a packed panel.</summary>
    public int Words(int ks) => Bf16 is null ? ks : (ks + 1) / 2;

    public float* A { get; init; } = a.Data.Floats;

    public float* B { get; init; } = b.Data.Floats;

    public float* C { get; init; } = c.Data.Floats;

    /// <summary>The same GEMM of operands that lie so many elements further.</summary>
    public CpuGemmProblem Moved(nint a, nint b, nint c) => this with { A = A + a, B = B + b, C = C + c };
}
