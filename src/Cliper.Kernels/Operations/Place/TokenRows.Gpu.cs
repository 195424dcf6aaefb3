using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

/// <summary>
/// Moves rows of tokens on a GPU: y[n, t] = x[n, t - shift] for the t that have such a row in x, else first, else zero,
/// all plus positions[t]; slots take rows of an insert. AddClassToken, AddPositions and Place are made of it.
/// </summary>
internal static partial class TokenRows
{
    private const int Threads = 128;

    private static readonly KernelFamily
        AssembleKernels = new(typeof(TokenRows), nameof(AssembleKernel), "TokenRows assemble", Threads, 1, 72),
        BackKernels = new(typeof(TokenRows), nameof(CopyBackKernel), "TokenRows back", Threads, 1, 64),
        TakeKernels = new(typeof(TokenRows), nameof(TakeKernel), "TokenRows take", Threads, 1, 64);

    public static IEnumerable<GpuKernel> GpuKernels =>
    [
        .. AssembleKernels.ForEachDtype16,
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), stored.PointerType()]),
        .. Dtypes.All16.Select(stored => BackKernels[stored.Dtype(), typeof(GlobalPtrFp32)]),
        .. TakeKernels.ForEachDtype16,
    ];

    /// <summary>Rows that take the places of others.</summary>
    /// <param name="Insert">[sequences, inserted, width]; null for none.</param>
    /// <param name="Slots">Their tokens, int32 [sequences, inserted].</param>
    public readonly record struct Placed(DeviceArray Insert, DeviceArray Slots);

    /// <summary>
    /// y from x, the row before all tokens, positions, or an insert at the tokens that are slots.
    /// </summary>
    public static void Assemble(GpuDevice gpu, DeviceArray x, DeviceArray first, DeviceArray positions,
        Placed placed, DeviceArray y, Place.Sizes sizes)
    {
        (int samples, int tokens, int inserted, int width) = sizes;
        int chunks = Blocks.Cover(width, Vec8.Size), shift = first.IsNull ? 0 : 1;
        gpu.Run(AssembleKernels[y.Type.Dtype()], new Blocks(Blocks.Cover((long)samples * tokens * chunks, Threads)),
            x, first, positions, placed.Insert, placed.Slots, y, (long)samples * tokens, tokens, tokens - shift, shift,
            inserted, width, Vec8.IsVectorizable(width, width, x, first, positions, placed.Insert, y));
    }

    /// <summary>dinsert[n, l] = dy[n, slots[n, l]].</summary>
    public static void Take(GpuDevice gpu, DeviceArray dy, DeviceArray slots, GradientTarget dinsert,
        Place.Sizes sizes)
    {
        int chunks = Blocks.Cover(sizes.Width, Vec8.Size);
        gpu.Run(TakeKernels[dy.Type.Dtype()], new Blocks(Blocks.Cover(sizes.Slots * chunks, Threads)), dy, slots,
            dinsert.Array, dinsert.Accumulate, sizes.Slots, sizes.Tokens, sizes.Inserted, sizes.Width,
            Vec8.IsVectorizable(sizes.Width, sizes.Width, dy, dinsert.Array));
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

        /// <summary>Tokens of dx that get zero, int32 [samples, <see cref="HolesOfSequence"/>]; null for
        /// none.</summary>
        public DeviceArray Holes { get; init; }

        /// <summary>How many of each sequence those are.</summary>
        public int HolesOfSequence { get; init; }
    }

    /// <summary>dx[n, t] = dy[n, t + shift], or zero for the t that are holes.</summary>
    public static void CopyBack(GpuDevice gpu, DeviceArray dy, GradientTarget dx, BackSizes sizes)
    {
        (int samples, int tokensY, int tokensX, int width) = sizes;
        gpu.Run(BackKernels[dy.Type.Dtype(), dx.Array.Type.PointerType()],
            new Blocks(Blocks.Cover((long)samples * tokensX * Blocks.Cover(width, Vec8.Size), Threads)), dy, dx.Array,
            dx.Accumulate, sizes.Holes, (long)samples * tokensX, tokensY, tokensX, sizes.Shift, sizes.HolesOfSequence,
            width, Vec8.IsVectorizable(width, width, dy, dx.Array));
    }
}
