using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Gpu.DeviceCode;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Operations;

public static partial class Gemm
{
    // Shortest part of the range of k: below it the start and end of a split cost more than split-K gains.
    private const int MinSplitKLength = 256;

    /// <summary>The kernels that a model of usual sizes uses; others differ in the same type parameters.</summary>
    internal static IEnumerable<GpuKernel> GpuKernels
    {
        get
        {
            Type kMajor = typeof(MmaSyncGemm.KMajor), mnMajor = typeof(MmaSyncGemm.MnMajor);
            Type plain = typeof(GpuEpilogue.Plain);
            var activated = new ActivationEpilogues();
            foreach (ActivationEntry entry in Activations.All)
                entry.Accept(activated);
            // A convolution fuses a ReLU, which is no activation of a linear layer.
            Type[] forward = [plain, typeof(GpuEpilogue.Biased),
                .. activated.Forward.Union([typeof(GpuEpilogue.Activated<Relu>)]), typeof(GpuEpilogue.WithResidual)];
            Type[] backward = [plain, .. activated.Backward];
            const ElementType Float = ElementType.Float32;
            foreach (ElementType stored in Dtypes.All16)
            {
                foreach (Type tile in new[] { typeof(MmaSyncGemm.Tile128x128), typeof(MmaSyncGemm.Tile64x64) })
                {
                    foreach (Type epilogue in forward)
                        yield return MmaSyncGemm.KernelFor(tile, kMajor, kMajor, epilogue, stored, stored);
                    foreach (Type epilogue in backward)
                        yield return MmaSyncGemm.KernelFor(tile, kMajor, mnMajor, epilogue, stored, stored);
                    foreach (Type layoutB in new[] { kMajor, mnMajor })
                        yield return MmaSyncGemm.KernelFor(tile, mnMajor, layoutB, plain, stored, stored);
                    // Weight gradients, and any GEMM with split-K, have an fp32 result.
                    foreach (Type layoutA in new[] { kMajor, mnMajor })
                        foreach (Type layoutB in new[] { kMajor, mnMajor })
                            yield return MmaSyncGemm.KernelFor(tile, layoutA, layoutB, plain, stored, Float);
                }
                foreach (Type epilogue in forward)
                    yield return WgmmaGemm.KernelFor(kMajor, kMajor, epilogue, stored, stored);
                foreach (Type epilogue in backward)
                    yield return WgmmaGemm.KernelFor(kMajor, mnMajor, epilogue, stored, stored);
                foreach (Type layoutB in new[] { kMajor, mnMajor })
                    yield return WgmmaGemm.KernelFor(mnMajor, layoutB, plain, stored, stored);
                foreach (Type layoutA in new[] { kMajor, mnMajor })
                    foreach (Type layoutB in new[] { kMajor, mnMajor })
                        yield return WgmmaGemm.KernelFor(layoutA, layoutB, plain, stored, Float);
                foreach (Type epilogue in forward.Union(backward))
                    yield return SimtGemm.KernelFor(stored, stored, epilogue, stored);
                yield return SimtGemm.KernelFor(stored, stored, plain, Float);
                yield return SimtGemm.KernelFor(stored, Float, plain, Float);
                yield return SimtGemm.KernelFor(Float, Float, plain, stored);
            }
            yield return SimtGemm.KernelFor(Float, Float, plain, Float);
            foreach (GpuKernel kernel in SplitKReduction.Kernels)
                yield return kernel;
        }
    }

    /// <summary>Collects the epilogues of the activations.</summary>
    private sealed class ActivationEpilogues : IActivationVisitor
    {
        /// <summary>Epilogues that apply an activation.</summary>
        public List<Type> Forward { get; } = [];

        /// <summary>Epilogues that multiply by an activation's derivative.</summary>
        public List<Type> Backward { get; } = [];

        /// <inheritdoc/>
        public void Visit<TOperation>() where TOperation : struct, IUnaryOperation
        {
            Forward.Add(typeof(GpuEpilogue.Activated<TOperation>));
            Backward.Add(typeof(GpuEpilogue.TimesDerivative<TOperation>));
        }
    }

    private static void RunGpu(GpuDevice gpu, in GpuGemmProblem problem)
    {
        Matrix c = problem.C.First;
        if (c.Rows == 0 || c.Columns == 0)
            return;
        if (gpu.HasTensorCores && FitsTensorCores(gpu, problem.A) && FitsTensorCores(gpu, problem.B)
            && c.RowStride <= int.MaxValue && problem.A.First.Columns > 0)
            RunTensorCores(gpu, problem);
        else
            SimtGemm.Run(gpu, problem);
    }

    // cp.async copies 16 bytes: every line, and every matrix of a batch, has to begin at a multiple of that.
    private static bool FitsTensorCores(GpuDevice gpu, MatrixBatch batch)
    {
        Matrix matrix = batch.First;
        return matrix.Data.Type == gpu.Activations
            && (matrix.RowStride == 1 || matrix.ColumnStride == 1) && LeadingDimension(matrix) % 8 == 0
            && LeadingDimension(matrix) < 1 << 22 && batch.Stride % 8 == 0 && matrix.Data.Address % 16 == 0;
    }

    private static long LeadingDimension(Matrix matrix) =>
        matrix.ColumnStride == 1 ? matrix.RowStride : matrix.ColumnStride;

    private static void RunTensorCores(GpuDevice gpu, in GpuGemmProblem problem)
    {
        ((Matrix a, long strideA), (Matrix b, long strideB), (Matrix c, long strideC), int count, GpuEpilogue epilogue,
            bool accumulate, float scale) = problem;
        int k = a.Columns;
        bool mayBeSplit = epilogue.Kind == typeof(GpuEpilogue.Plain) && c.RowStride == c.Columns && count == 1;
        // This holds for the partial results of split-K too: they have rows of c's width.
        bool vectorized = Vec8.IsVectorizable(c.Columns, c.RowStride, c.Data, epilogue.Bias, epilogue.Extra)
            && strideC % Vec8.Size == 0;
        TilePlan plan = TilePlan.Choose(gpu, c.Rows, c.Columns, k, count, mayBeSplit, vectorized);
        // K runs along the columns of a and the rows of b; a matrix with one row or column counts as either layout.
        Type layoutA = a.ColumnStride == 1 ? typeof(MmaSyncGemm.KMajor) : typeof(MmaSyncGemm.MnMajor);
        Type layoutB = b.RowStride == 1 && b.ColumnStride != 1
            ? typeof(MmaSyncGemm.KMajor) : typeof(MmaSyncGemm.MnMajor);
        // A split has whole k tiles; without split-K the only one has the whole range of k.
        int splitKLength = plan.Splits == 1 ? k : Blocks.Cover(k, plan.Splits * plan.K) * plan.K;
        int splits = Blocks.Cover(k, splitKLength);
        DeviceArray target = c.Data;
        long splitStride = 0;
        if (splits > 1)
        {
            splitStride = (long)c.Rows * c.Columns;
            target = gpu.Allocate(splitStride * splits);
        }
        int leadingC = splits > 1 ? c.Columns : (int)c.RowStride;
        ReadOnlySpan<KernelArgument> arguments = [a.Data, b.Data, target, epilogue.Bias, epilogue.Extra, c.Rows,
            c.Columns, k, (int)LeadingDimension(a), (int)LeadingDimension(b), leadingC, strideA, strideB, strideC,
            splits, splitKLength, splitStride, scale, accumulate && splits == 1];
        int tilesN = Blocks.Cover(c.Columns, plan.N), tilesM = Blocks.Cover(c.Rows, plan.M),
            tiles = tilesN * tilesM * count * splits;
        if (plan.MmaSyncTile is { } tile)
            gpu.Run(MmaSyncGemm.KernelFor(tile, layoutA, layoutB, epilogue.Kind, a.Data.Type, target.Type),
                new Blocks(tilesN, tilesM, count * splits), [.. arguments, vectorized]);
        else
            gpu.Run(WgmmaGemm.KernelFor(layoutA, layoutB, epilogue.Kind, a.Data.Type, target.Type),
                new Blocks(Math.Min(tiles, gpu.Multiprocessors)), [.. arguments, tiles]);
        if (splits == 1)
            return;
        SplitKReduction.Run(gpu, target, c.Data, splits, splitStride, accumulate);
        gpu.Free(target);
    }
}

/// <summary>A strided batched GEMM on a GPU; one GEMM alone is a batch of one.</summary>
/// <param name="A">Left operands.</param>
/// <param name="B">Right operands.</param>
/// <param name="C">Results.</param>
/// <param name="Count">Number of GEMMs.</param>
/// <param name="Epilogue">Applied to each element.</param>
/// <param name="Accumulate">Whether to add to the results.</param>
/// <param name="Scale">Factor of each A B.</param>
internal readonly record struct GpuGemmProblem(MatrixBatch A, MatrixBatch B, MatrixBatch C, int Count,
    GpuEpilogue Epilogue, bool Accumulate, float Scale);

/// <content>Host code that launches the SIMT kernel.</content>
internal static partial class SimtGemm
{
    private static readonly KernelFamily Family =
        new(typeof(SimtGemm), nameof(SimtGemmKernel), "Gemm simt", Threads, 2, 128);

    /// <summary>The kernel for the types of A, B and C and an epilogue.</summary>
    public static GpuKernel KernelFor(ElementType a, ElementType b, Type epilogue, ElementType c) =>
        Family[a.PointerType(), b.PointerType(), c.PointerType(), epilogue];

    /// <summary>Launches a batch of GEMMs.</summary>
    public static void Run(GpuDevice gpu, in GpuGemmProblem problem)
    {
        ((Matrix a, long strideA), (Matrix b, long strideB), (Matrix c, long strideC), int count, GpuEpilogue epilogue,
            bool accumulate, float scale) = problem;
        gpu.Run(KernelFor(a.Data.Type, b.Data.Type, epilogue.Kind, c.Data.Type),
            new Blocks(Blocks.Cover(c.Columns, Tile), Blocks.Cover(c.Rows, Tile), count), a.Data, b.Data, c.Data,
            epilogue.Bias, epilogue.Extra, c.Rows, c.Columns, a.Columns, a.RowStride, a.ColumnStride, b.RowStride,
            b.ColumnStride, c.RowStride, strideA, strideB, strideC, scale, accumulate);
    }
}

/// <content>Host code that finds a kernel of mma.sync.</content>
internal static partial class MmaSyncGemm
{
    private static readonly KernelFamily Kernels128x128 = Make<Tile128x128>(), Kernels64x64 = Make<Tile64x64>();

    /// <summary>
    /// The kernel for a tile, the layouts of A and B, an epilogue and the types of the operands and of C.
    /// </summary>
    public static GpuKernel KernelFor(Type tile, Type layoutA, Type layoutB, Type epilogue, ElementType operands,
        ElementType c) =>
        (tile == typeof(Tile128x128) ? Kernels128x128 : Kernels64x64)
            [tile, layoutA, layoutB, epilogue, operands.Dtype(), c.PointerType()];

    private static KernelFamily Make<TTile>() where TTile : struct, ICtaTile
    {
        int fragmentsA = TTile.WarpM / 16, fragmentsB = WarpTileN / 16, threads = TTile.Warps * 32;
        int copies = (TTile.M + TTile.N) * TileK / 8 / threads;
        return new KernelFamily(typeof(MmaSyncGemm), nameof(MmaSyncGemmKernel), "Gemm", threads, TTile.MinBlocks,
            TTile.Registers, Buffers * (TTile.M + TTile.N) * TileK * 2)
        {
            Target = GpuTarget.MmaSync,
            // A k tile takes two steps of 16 k. The copies stand once in the loop and once for each buffer that is
            // filled before it.
            Instructions = (2 * fragmentsA * fragmentsB * 2, 2 * (fragmentsA + fragmentsB), copies * Buffers),
        };
    }
}

/// <content>Host code that finds a kernel of wgmma.</content>
internal static partial class WgmmaGemm
{
    private static readonly KernelFamily Family = new(typeof(WgmmaGemm), nameof(WgmmaGemmKernel), "Gemm wgmma",
        Threads, 1, Registers, Buffers * BufferBytes + Wgmma.Alignment)
    {
        Target = GpuTarget.Wgmma,
        // The copies stand once in the loop and once before it.
        Instructions = (TileK / Wgmma.K, 0, BufferBytes / 16 / Threads * 2),
    };

    /// <summary>The kernel for the layouts of A and B, an epilogue and the types of the operands and of C.</summary>
    public static GpuKernel KernelFor(Type layoutA, Type layoutB, Type epilogue, ElementType operands, ElementType c) =>
        Family[layoutA, layoutB, epilogue, operands.Dtype(), c.PointerType()];
}
