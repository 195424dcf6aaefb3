using Cliper.Kernels.Devices;
using Cliper.Kernels.Ptx;
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
        .. AssembleKernels.OfFormats,
        .. Formats.All.Select(stored => BackKernels[stored.Format(), stored.Numbers()]),
        .. Formats.All.Select(stored => BackKernels[stored.Format(), typeof(Floats)]),
    ];

    /// <summary>y from x, the row before all tokens, positions, or an insert from <paramref name="start"/> on.</summary>
    public static void Assemble(GpuDevice gpu, DeviceArray x, DeviceArray first, DeviceArray positions, DeviceArray insert, DeviceArray y,
        int samples, int tokens, int start, int inserted, int width)
    {
        int chunks = Blocks.Cover(width, Chunk.Size), shift = first.IsNull ? 0 : 1;
        gpu.Run(AssembleKernels[y.Type.Format()], new Blocks(Blocks.Cover((long)samples * tokens * chunks, Threads)), x, first, positions,
            insert, y, (long)samples * tokens, tokens, tokens - shift, shift, start, inserted, width, Chunk.IsWide(width, width, x, first,
            positions, insert, y));
    }

    /// <summary>dx[n, t] = dy[n, t + shift], or zero for t in [holeStart, holeEnd).</summary>
    public static void CopyBack(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int samples, int tokensY, int tokensX,
        int shift, int holeStart, int holeEnd, int width) =>
        gpu.Run(BackKernels[dy.Type.Format(), dx.Type.Numbers()],
            new Blocks(Blocks.Cover((long)samples * tokensX * Blocks.Cover(width, Chunk.Size), Threads)), dy, dx, accumulate,
            (long)samples * tokensX, tokensY, tokensX, shift, holeStart, holeEnd, width, Chunk.IsWide(width, width, dy, dx));

    private static void AssembleChunk<TFormat>(Halves<TFormat> x, Floats first, Floats positions, Floats insert, Halves<TFormat> y,
        long rows, int tokens, int tokensX, int shift, int start, int inserted, int width, int wide) where TFormat : struct, IFormat
    {
        int chunks = (width + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Chunk.Size, count = width - column;
        long sample = row / tokens;
        int token = (int)(row - sample * tokens);
        F8 value;
        if (!insert.IsNull && token >= start && token < start + inserted)
            value = Chunk.Load(insert, (sample * inserted + token - start) * width + column, count, wide);
        else if (token < shift)
            value = Chunk.Load(first, column, count, wide);
        else
            value = Chunk.Load(x, (sample * tokensX + token - shift) * width + column, count, wide);
        if (!positions.IsNull)
            value = Chunk.Add(value, Chunk.Load(positions, (long)token * width + column, count, wide));
        Chunk.Store(y, row * width + column, value, count, wide);
    }

    private static void CopyChunkBack<TFormat, TX>(Halves<TFormat> dy, TX dx, int accumulate, long rows, int tokensY, int tokensX,
        int shift, int holeStart, int holeEnd, int width, int wide) where TFormat : struct, IFormat where TX : struct, INumbers
    {
        int chunks = (width + Chunk.Size - 1) / Chunk.Size;
        long at = (long)Grid.IdxX * Threads + Group.IdxX, row = at / chunks;
        if (row >= rows)
            return;
        int column = (int)(at - row * chunks) * Chunk.Size, count = width - column;
        long sample = row / tokensX;
        int token = (int)(row - sample * tokensX);
        F8 value = default;
        if (token < holeStart || token >= holeEnd)
            value = Chunk.Load(dy, (sample * tokensY + token + shift) * width + column, count, wide);
        Chunk.Write(dx, row * width + column, value, count, wide, accumulate);
    }
}
