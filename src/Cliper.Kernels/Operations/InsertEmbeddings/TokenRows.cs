using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using ILGPU;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Moves rows of tokens on a GPU: y[n, t] = x[n, t - shift] for the t that have such a row in x, else first, else zero, all plus
/// positions[t]; the t in [holeStart, holeEnd) take zero, or rows of an insert. What AddClassToken, AddPositions and Splice are made of.
/// </summary>
internal static class TokenRows
{
    private const int Threads = 128;

    private static readonly KernelFamily
        AssembleKernels = new(typeof(TokenRows), nameof(AssembleChunk), "TokenRows assemble", Threads, 1, 72),
        BackKernels = new(typeof(TokenRows), nameof(CopyChunkBack), "TokenRows back", Threads, 1, 64);

    public static IEnumerable<GpuKernel> Kernels =>
    [
        .. AssembleKernels.ForEachDtype16,
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), stored.PointerType()]),
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), typeof(GlobalPtrFp32)]),
    ];

    /// <summary>y from x, the row before all tokens, positions, or an insert from <paramref name="start"/> on.</summary>
    public static void Assemble(GpuDevice gpu, DeviceArray x, DeviceArray first, DeviceArray positions, DeviceArray insert, DeviceArray y,
        int samples, int tokens, int start, int inserted, int width)
    {
        int chunks = Blocks.Cover(width, Vec8.Size), shift = first.IsNull ? 0 : 1;
        gpu.Run(AssembleKernels[y.Type.Dtype()], new Blocks(Blocks.Cover((long)samples * tokens * chunks, Threads)), x, first, positions,
            insert, y, (long)samples * tokens, tokens, tokens - shift, shift, start, inserted, width, Vec8.IsVectorizable(width, width, x, first,
            positions, insert, y));
    }

    /// <summary>dx[n, t] = dy[n, t + shift], or zero for t in [holeStart, holeEnd).</summary>
    public static void CopyBack(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int samples, int tokensY, int tokensX,
        int shift, int holeStart, int holeEnd, int width) =>
        gpu.Run(BackKernels[dy.Type.Dtype(), dx.Type.PointerType()],
            new Blocks(Blocks.Cover((long)samples * tokensX * Blocks.Cover(width, Vec8.Size), Threads)), dy, dx, accumulate,
            (long)samples * tokensX, tokensY, tokensX, shift, holeStart, holeEnd, width, Vec8.IsVectorizable(width, width, dy, dx));

    private static void AssembleChunk<TDtype>(GlobalPtr16<TDtype> x, GlobalPtrFp32 first, GlobalPtrFp32 positions, GlobalPtrFp32 insert, GlobalPtr16<TDtype> y,
        long rows, int tokens, int tokensX, int shift, int start, int inserted, int width, int vectorized) where TDtype : struct, IDtype16
    {
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / tokens;
        int token = (int)(row - sample * tokens);
        Vec8 value;
        if (!insert.IsNull && token >= start && token < start + inserted)
            value = Vec8.Load(insert, (sample * inserted + token - start) * width + column, count, vectorized);
        else if (token < shift)
            value = Vec8.Load(first, column, count, vectorized);
        else
            value = Vec8.Load(x, (sample * tokensX + token - shift) * width + column, count, vectorized);
        if (!positions.IsNull)
            value = Vec8.Add(value, Vec8.Load(positions, (long)token * width + column, count, vectorized));
        Vec8.Store(y, row * width + column, value, count, vectorized);
    }

    private static void CopyChunkBack<TDtype, TX>(GlobalPtr16<TDtype> dy, TX dx, int accumulate, long rows, int tokensY, int tokensX,
        int shift, int holeStart, int holeEnd, int width, int vectorized) where TDtype : struct, IDtype16 where TX : struct, IGlobalPtr
    {
        int chunks = (width + Vec8.Size - 1) / Vec8.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Vec8.Size, count = width - column;
        long sample = row / tokensX;
        int token = (int)(row - sample * tokensX);
        Vec8 value = default;
        if (token < holeStart || token >= holeEnd)
            value = Vec8.Load(dy, (sample * tokensY + token + shift) * width + column, count, vectorized);
        Vec8.Write(dx, row * width + column, value, count, vectorized, accumulate);
    }
}
