using Cliper.Kernels.Cpu;
using Cliper.Kernels.Cpu.MachineCode;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <content>How operands are packed, and tiles of bf16 operands.</content>
internal static unsafe partial class CpuGemm<L, TEpilogue>
{
    // Even number of ks of a panel of pairs before the next panel's turn, where panels share cache lines.
    private const int KsAtOnce = 64;

    /// <summary>Packs all of B into panels of nr columns; B is given as parts of its rows, from the first on.</summary>
    public static PackedMatrix Pack(CpuDevice cpu, params Matrix[] parts)
    {
        int n = parts[0].Columns, k = parts.Sum(part => part.Rows), panels = (n + Nr - 1) / Nr;
        bool isBf16 = cpu.Bf16 is not null;
        int words = isBf16 ? (k + 1) / 2 : k;
        DeviceArray data = cpu.Allocate((long)panels * Nr * words);
        float* packed = data.Floats;
        cpu.Pool.Run(panels, (panel, worker) =>
        {
            float* target = packed + (nint)panel * Nr * words;
            int columns = Math.Min(Nr, n - panel * Nr);
            // Pairs may reach from one part into the next, so a panel is gathered first.
            float* gathered = isBf16 ? (float*)cpu.Pool.Scratch(worker, (long)k * Nr * sizeof(float)) : target;
            foreach (Matrix b in parts)
            {
                nint kStride = (nint)b.RowStride, columnStride = (nint)b.ColumnStride;
                Packing.PackPanel<L>(b.Data.Floats + panel * Nr * columnStride, columnStride, kStride, columns, Nr,
                    b.Rows, gathered);
                gathered += (nint)Nr * b.Rows;
            }
            if (isBf16)
                Packing.PackPairs<L>(gathered - (nint)Nr * k, 1, Nr, columns, Nr, k, target);
        });
        return new PackedMatrix(data, k, n);
    }

    private static void PackA(in CpuGemmProblem problem, Partition panels, int first, int end, int firstK, int kc,
        float* packedA)
    {
        float* source = problem.A + firstK * problem.KStrideA;
        nint panelStride = (nint)PackedMr * problem.Words(kc);
        if (problem.Bf16 is null)
        {
            Packing.PackPanels<L>(source, problem.RowStrideA, problem.KStrideA, panels, first, end, PackedMr, kc,
                packedA, panelStride);
            return;
        }
        // Where rows are contiguous the panels advance together, so that each cache line is fetched once.
        int step = problem.RowStrideA == 1 ? KsAtOnce : kc;
        for (int k = 0; k < kc; k += step)
            for (int panel = first; panel < end; panel++)
                Packing.PackPairs<L>(source + panels.Start(panel) * problem.RowStrideA + k * problem.KStrideA,
                    problem.RowStrideA, problem.KStrideA, panels.Size(panel), PackedMr, Math.Min(step, kc - k),
                    packedA + panel * panelStride + (nint)(k / 2) * PackedMr);
    }

    private static void PackB(in CpuGemmProblem problem, int first, int end, int firstK, int kc, float* packedB)
    {
        nint panelStride = (nint)problem.Words(kc) * Nr;
        for (int panel = first; panel < end; panel++, packedB += panelStride)
        {
            float* source = problem.B + firstK * problem.KStrideB + panel * Nr * problem.ColumnStrideB;
            int columns = Math.Min(Nr, problem.N - panel * Nr);
            if (problem.Bf16 is null)
                Packing.PackPanel<L>(source, problem.ColumnStrideB, problem.KStrideB, columns, Nr, kc, packedB);
            else
                Packing.PackPairs<L>(source, problem.ColumnStrideB, problem.KStrideB, columns, Nr, kc, packedB);
        }
    }

    /// <summary>tile = scale * a b, of panels packed in pairs.</summary>
    internal static void RunBf16Tile(Bf16Kernels kernels, int mr, in Bf16Kernels.Operands operands, float scale)
    {
        float* tile = (float*)operands.Tile;
        if (operands.Pairs == 0)
        {
            new Span<float>(tile, mr * Nr).Clear();
            return;
        }
        kernels.Run(mr, Nr, PackedMr, in operands);
        if (scale == 1)
            return;
        L factor = L.Create(scale);
        for (int i = 0; i < mr * Nr; i += L.Count)
            (L.Load(tile + i) * factor).Store(tile + i);
    }
}
