using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class TokenRows
{
    /// <summary>
    /// y[n, t] = x[n, t - shift], first where t is before shift, or a row of an insert; plus positions[t].
    /// </summary>
    /// <remarks>
    /// A thread has eight columns of a token, a block 128 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void AssembleKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 first, GlobalPtrFp32 positions,
        GlobalPtrFp32 insert, GlobalPtr16<TDtype> y, long rows, int tokens, int tokensX, int shift, int start,
        int inserted, int width, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the token and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / tokens;
        int token = (int)(row - sample * tokens);

        // (2) Load them from where they come.
        Vec8 value;
        if (!insert.IsNull && token >= start && token < start + inserted)
            value = Vec8.Load(insert, (sample * inserted + token - start) * width + column, count, vectorized);
        else if (token < shift)
            value = Vec8.Load(first, column, count, vectorized);
        else
            value = Vec8.Load(x, (sample * tokensX + token - shift) * width + column, count, vectorized);

        // (3) Add the positions and store.
        if (!positions.IsNull)
            value = Vec8.Add(value, Vec8.Load(positions, (long)token * width + column, count, vectorized));
        Vec8.Store(y, row * width + column, value, count, vectorized);
    }

    /// <summary>dx[n, t] (+)= dy[n, t + shift], or zero for t in [holeStart, holeEnd).</summary>
    /// <remarks>
    /// A thread has eight columns of a token, a block 128 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void CopyBackKernel<TDtype, TX>(GlobalPtr16<TDtype> dy, TX dx, int accumulate, long rows,
        int tokensY, int tokensX, int shift, int holeStart, int holeEnd, int width, int vectorized)
        where TDtype : struct, IDtype16 where TX : struct, IGlobalPtr
    {
        // (1) Find the token and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / tokensX;
        int token = (int)(row - sample * tokensX);

        // (2) Copy them, or zeros.
        Vec8 value = default;
        if (token < holeStart || token >= holeEnd)
            value = Vec8.Load(dy, (sample * tokensY + token + shift) * width + column, count, vectorized);
        Vec8.Write(dx, row * width + column, value, count, vectorized, accumulate);
    }
}
