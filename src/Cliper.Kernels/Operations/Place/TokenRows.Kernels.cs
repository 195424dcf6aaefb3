using System.Runtime.CompilerServices;
using Cliper.Kernels.Gpu.DeviceCode;
using ILGPU;

namespace Cliper.Kernels.Operations;

internal static partial class TokenRows
{
    /// <summary>
    /// y[n, t] = x[n, t - shift], first where t is before shift, or a row of an insert where t is a slot; plus
    /// positions[t].
    /// </summary>
    /// <remarks>
    /// A thread has eight columns of a token, a block 128 threads; it looks for its token among the few slots of the
    /// sequence; no shared memory. Any GPU from compute capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void AssembleKernel<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 first, GlobalPtrFp32 positions,
        GlobalPtrFp32 insert, GlobalPtrInt32 slots, GlobalPtr16<TDtype> y, long rows, int tokens, int tokensX,
        int shift, int inserted, int width, int vectorized) where TDtype : struct, IDtype16
    {
        // (1) Find the token and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / tokens;
        int token = (int)(row - sample * tokens), slot = SlotOf(slots, sample * inserted, inserted, token);

        // (2) Load them from where they come.
        Vec8 value;
        if (slot >= 0)
            value = Vec8.Load(insert, (sample * inserted + slot) * width + column, count, vectorized);
        else if (token < shift)
            value = Vec8.Load(first, column, count, vectorized);
        else
            value = Vec8.Load(x, (sample * tokensX + token - shift) * width + column, count, vectorized);

        // (3) Add the positions and store.
        if (!positions.IsNull)
            value = Vec8.Add(value, Vec8.Load(positions, (long)token * width + column, count, vectorized));
        Vec8.Store(y, row * width + column, value, count, vectorized);
    }

    /// <summary>dx[n, t] (+)= dy[n, t + shift], or zero for the t that are slots.</summary>
    /// <remarks>
    /// A thread has eight columns of a token, a block 128 threads; no shared memory. Any GPU from compute capability
    /// 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void CopyBackKernel<TDtype, TX>(GlobalPtr16<TDtype> dy, TX dx, int accumulate, GlobalPtrInt32 slots,
        long rows, int tokensY, int tokensX, int shift, int slotsOfSequence, int width, int vectorized)
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
        if (SlotOf(slots, sample * slotsOfSequence, slotsOfSequence, token) < 0)
            value = Vec8.Load(dy, (sample * tokensY + token + shift) * width + column, count, vectorized);
        Vec8.Write(dx, row * width + column, value, count, vectorized, accumulate);
    }

    /// <summary>dinsert[n, l] (+)= dy[n, slots[n, l]].</summary>
    /// <remarks>
    /// A thread has eight columns of a slot, a block 128 threads; no shared memory. A slot outside its sequence gets
    /// zero. Any GPU from compute capability 7.0 on, bf16 from 8.0 on.
    /// </remarks>
    [DeviceCode]
    private static void TakeKernel<TDtype>(GlobalPtr16<TDtype> dy, GlobalPtrInt32 slots, GlobalPtrFp32 dinsert,
        int accumulate, long count, int tokens, int inserted, int width, int vectorized)
        where TDtype : struct, IDtype16
    {
        // (1) Find the slot and the columns.
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, slot = at / chunks;
        if (slot >= count)
            return;
        int column = (int)(at - slot * chunks) * Vec8.Size, token = slots.Load(slot);

        // (2) Copy them.
        Vec8 value = default;
        if (token >= 0 && token < tokens)
            value = Vec8.Load(dy, (slot / inserted * tokens + token) * width + column, width - column, vectorized);
        Vec8.Write(dinsert, slot * width + column, value, width - column, vectorized, accumulate);
    }

    /// <summary>Which slot of a sequence a token is; -1 for none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int SlotOf(GlobalPtrInt32 slots, long begin, int count, int token)
    {
        int found = -1;
        for (int i = 0; i < count; i++)
            if (slots.Load(begin + i) == token)
                found = i;
        return found;
    }
}
