using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Moves rows of tokens on a GPU: y[n, t] = x[n, t - shift] for the t that have such a row in x, else first, else zero,
/// all plus positions[t]; the t in [holeStart, holeEnd) take zero, or rows of an insert. What AddClassToken,
/// AddPositions and Splice are made of.
/// </summary>
internal static partial class TokenRows
{
    private const int Threads = 128;

    private static readonly KernelFamily
        AssembleKernels = new(typeof(TokenRows), nameof(AssembleKernel), "TokenRows assemble", Threads, 1, 72),
        BackKernels = new(typeof(TokenRows), nameof(CopyBackKernel), "TokenRows back", Threads, 1, 64);

    public static IEnumerable<GpuKernel> GpuKernels =>
    [
        .. AssembleKernels.ForEachDtype16,
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), stored.PointerType()]),
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), typeof(GlobalPtrFp32)]),
    ];

    /// <summary>
    /// y from x, the row before all tokens, positions, or an insert from <paramref name="start"/> on.
    /// </summary>
    public static void Assemble(GpuDevice gpu, DeviceArray x, DeviceArray first, DeviceArray positions,
        DeviceArray insert, DeviceArray y, int samples, int tokens, int start, int inserted, int width)
    {
        int chunks = Blocks.Cover(width, Vec8.Size), shift = first.IsNull ? 0 : 1;
        gpu.Run(AssembleKernels[y.Type.Dtype()], new Blocks(Blocks.Cover((long)samples * tokens * chunks, Threads)),
            x, first, positions, insert, y, (long)samples * tokens, tokens, tokens - shift, shift, start, inserted,
            width, Vec8.IsVectorizable(width, width, x, first, positions, insert, y));
    }

    /// <summary>dx[n, t] = dy[n, t + shift], or zero for t in [holeStart, holeEnd).</summary>
    public static void CopyBack(GpuDevice gpu, DeviceArray dy, DeviceArray dx, bool accumulate, int samples,
        int tokensY, int tokensX, int shift, int holeStart, int holeEnd, int width) =>
        gpu.Run(BackKernels[dy.Type.Dtype(), dx.Type.PointerType()],
            new Blocks(Blocks.Cover((long)samples * tokensX * Blocks.Cover(width, Vec8.Size), Threads)), dy, dx,
            accumulate, (long)samples * tokensX, tokensY, tokensX, shift, holeStart, holeEnd, width,
            Vec8.IsVectorizable(width, width, dy, dx));
}
