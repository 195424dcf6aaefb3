using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class MmaSyncAttention
{
    // A query's log-sum-exp and delta are two fp32 numbers side by side.
    private const int StatisticBytes = 8, StatisticTileBytes = TileRows * StatisticBytes;

    private const int DeltaThreads = 128, DeltaLanes = MaxHeadSize / Vec8.Size;

    /// <summary>Rows of a head in the output of <see cref="AttentionDeltaKernel"/>: whole tiles.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int StatisticRows(int queries) => queries + TileRows - 1 & -TileRows;

    /// <summary>
    /// Computes the row statistics that the backward kernels need: the log-sum-exp in powers of two and delta =
    /// rowsum(dO * O), which equals rowsum(dP * P).
    /// </summary>
    /// <remarks>
    /// CTA: 16 rows of one (head, sample), grid x, y, z; 128 threads, eight lanes a row, 8 columns a lane. No shared
    /// memory, no tensor cores. Rows that do not exist get zeros: with zeros for their Q and dO too, they contribute
    /// nothing to dK and dV.
    /// </remarks>
    /// <param name="output">O as the forward pass left it; element 0 is that of sample 0, head 0.</param>
    /// <param name="doutput">dO.</param>
    /// <param name="logSumExp">[samples, heads, queries], natural logarithm.</param>
    /// <param name="statistics">[samples, heads, rows, 2] (log-sum-exp, delta).</param>
    /// <param name="queries">Query rows of a sample.</param>
    /// <param name="rows"><see cref="StatisticRows"/>.</param>
    /// <param name="headSize">Columns of a head.</param>
    /// <param name="strideOut">Elements between rows of output.</param>
    /// <param name="strideD">Elements between rows of doutput.</param>
    /// <param name="vectorized">1 when rows can be read 16 bytes at a time.</param>
    [DeviceCode]
    private static void AttentionDeltaKernel<TDtype>(GlobalPtr16<TDtype> output, GlobalPtr16<TDtype> doutput,
        GlobalPtrFp32 logSumExp, GlobalPtrFp32 statistics, int queries, int rows, int headSize, int strideOut,
        int strideD, int vectorized) where TDtype : struct, IDtype16
    {
        int row = Grid.IdxX * (DeltaThreads / DeltaLanes) + Group.IdxX / DeltaLanes;
        int column = Group.IdxX % DeltaLanes * Vec8.Size, left = headSize - column;
        long inSample = (long)Grid.IdxZ * queries + row, head = (long)Grid.IdxZ * Grid.DimY + Grid.IdxY;
        long at = Grid.IdxY * headSize + column;
        F2 value = default;
        // (1) Each lane multiplies 8 columns of O and dO.
        if (row < queries && left > 0)
        {
            value.X = logSumExp.Load(head * queries + row) * Log2OfE;
            value.Y = Vec8.Sum(Vec8.Multiply(Vec8.Load(output, inSample * strideOut + at, left, vectorized),
                Vec8.Load(doutput, inSample * strideD + at, left, vectorized)));
        }
        // (2) The eight lanes of a row add up their parts, and the first one stores the pair.
        value.Y += Warp.ShuffleXor(value.Y, 4);
        value.Y += Warp.ShuffleXor(value.Y, 2);
        value.Y += Warp.ShuffleXor(value.Y, 1);
        if (column == 0)
            statistics.Store2((head * rows + row) * 2, value);
    }
}
