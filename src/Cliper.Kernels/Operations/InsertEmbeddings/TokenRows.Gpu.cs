using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Moves rows of tokens on a GPU: y[n, t] = x[n, t - shift] for the t that have such a row in x, else first, else zero,
/// all plus positions[t]; the t in [holeStart, holeEnd) take zero, or rows of an insert. AddClassToken,
/// AddPositions and InsertEmbeddings are made of it.
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
    /// y from x, the row before all tokens, positions, or an insert at the tokens that <paramref name="sizes"/>
    /// names.
    /// </summary>
    public static void Assemble(GpuDevice gpu, DeviceArray x, DeviceArray first, DeviceArray positions,
        DeviceArray insert, DeviceArray y, InsertEmbeddings.Sizes sizes)
    {
        (int samples, int tokens, int inserted, int start, int width) = sizes;
        int chunks = Blocks.Cover(width, Vec8.Size), shift = first.IsNull ? 0 : 1;
        gpu.Run(AssembleKernels[y.Type.Dtype()], new Blocks(Blocks.Cover((long)samples * tokens * chunks, Threads)),
            x, first, positions, insert, y, (long)samples * tokens, tokens, tokens - shift, shift, start, inserted,
            width, Vec8.IsVectorizable(width, width, x, first, positions, insert, y));
    }

    /// <summary>Sizes of a copy of gradients, and the tokens that it is about.</summary>
    /// <param name="Samples">Number of sequences.</param>
    /// <param name="TokensY">Tokens of a sequence in dy.</param>
    /// <param name="TokensX">Tokens of a sequence in dx.</param>
    /// <param name="Width">Elements of a token.</param>
    public readonly record struct BackSizes(int Samples, int TokensY, int TokensX, int Width)
    {
        /// <summary>The token of dy that the first token of dx gets.</summary>
        public int Shift { get; init; }

        /// <summary>First token of dx that gets zero.</summary>
        public int HoleStart { get; init; }

        /// <summary>End of the tokens of dx that get zero.</summary>
        public int HoleEnd { get; init; }
    }

    /// <summary>dx[n, t] = dy[n, t + shift], or zero for t in [holeStart, holeEnd).</summary>
    public static void CopyBack(GpuDevice gpu, DeviceArray dy, GradientTarget dx, BackSizes sizes)
    {
        (int samples, int tokensY, int tokensX, int width) = sizes;
        gpu.Run(BackKernels[dy.Type.Dtype(), dx.Array.Type.PointerType()],
            new Blocks(Blocks.Cover((long)samples * tokensX * Blocks.Cover(width, Vec8.Size), Threads)), dy, dx.Array,
            dx.Accumulate, (long)samples * tokensX, tokensY, tokensX, sizes.Shift, sizes.HoleStart, sizes.HoleEnd,
            width, Vec8.IsVectorizable(width, width, dy, dx.Array));
    }
}
