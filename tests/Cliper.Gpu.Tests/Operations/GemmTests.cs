using Cliper.Kernels;
using Cliper.Kernels.Gpu.Compiler;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// Products on tensor cores, on Hopper's, and on a GPU without. Operands are of a 16-bit format, exactly; sums of K
/// products of numbers below 1 in fp32, in any order, err by at most u32 K times the sum of the products' sizes, which
/// is at most K; tensor cores cut instead of rounding, twice as much. Then one rounding to that format.
/// </summary>
[TestFixture(true, true, ElementType.Float16)]
[TestFixture(true, false, ElementType.Float16)]
[TestFixture(false, false, ElementType.Float16)]
[TestFixture(true, true, ElementType.BFloat16)]
[TestFixture(true, false, ElementType.BFloat16)]
[TestFixture(false, false, ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class GemmTests(bool tensorCores, bool wgmma, ElementType stored) : GpuFixture(stored)
{
    protected override bool UsesTensorCores => tensorCores;

    protected override bool UsesWgmma => wgmma;

    private Func<double, double> Bound(int depth, bool half, double scale = 1) => expected =>
        2 * U32 * depth * Math.Sqrt(depth) * scale + 4 * U32 * (1 + Math.Abs(expected))
            + (half ? U16 * (Math.Abs(expected) + 1e-2) + Tiny : 0);

    [Test]
    public void ProductsOfAllLayoutsAndOddSizes([Values] bool transposeA, [Values] bool transposeB,
        [Values] bool accumulate,
        [Values("1 1 1", "5 6 7", "33 71 40", "65 64 31", "130 40 97", "17 136 64")] string sizes)
    {
        int[] size = [.. sizes.Split(' ').Select(int.Parse)];
        (int m, int n, int k) = (size[0], size[1], size[2]);
        (DeviceArray a, Matrix left, float[] va) = Padded(m, k, transposeA, 1);
        (DeviceArray b, Matrix right, float[] vb) = Padded(k, n, transposeB, 2);
        float[] before = Random((long)m * n, 3);
        DeviceArray c = Halves(before);

        Gemm.Run(left, right, new Matrix(c, m, n), accumulate, scale: .5f);

        double[] expected = GemmReference.Product(va, vb, (m, n, k));
        for (int i = 0; i < expected.Length; i++)
            expected[i] = expected[i] * .5 + (accumulate ? before[i] : 0);
        AssertClose(Device.ToFloats(c), expected, Bound(k, half: true), "c");
        if (tensorCores)
            // Results of no multiple of eight columns take the small tile.
            Assert.That(Device.Launched.Select(kernel => kernel.Target),
                Has.All.EqualTo(wgmma && n % 8 == 0 ? GpuTarget.Wgmma : GpuTarget.MmaSync));
        Free(a, b, c);
    }

    [Test]
    public void EveryActivationHasItsKernelsInTheRegistry()
    {
        Assert.That(Activations.All, Is.Not.Empty);
        foreach (ActivationEntry entry in Activations.All)
            entry.Accept(new RegisteredKernels([.. KernelRegistry.All], Stored));
    }

    private sealed class RegisteredKernels(HashSet<GpuKernel> all, ElementType stored) : IActivationVisitor
    {
        public void Visit<TOperation>() where TOperation : struct, IUnaryOperation
        {
            Type forward = typeof(GpuEpilogue.Activated<TOperation>),
                backward = typeof(GpuEpilogue.TimesDerivative<TOperation>),
                kMajor = typeof(MmaSyncGemm.KMajor), mnMajor = typeof(MmaSyncGemm.MnMajor),
                tile = typeof(MmaSyncGemm.Tile64x64);
            GpuKernel[] expected =
            [
                SimtGemm.KernelFor(stored, stored, forward, stored),
                SimtGemm.KernelFor(stored, stored, backward, stored),
                MmaSyncGemm.KernelFor(tile, kMajor, kMajor, forward, stored, stored),
                MmaSyncGemm.KernelFor(tile, kMajor, mnMajor, backward, stored, stored),
                WgmmaGemm.KernelFor(kMajor, kMajor, forward, stored, stored),
                WgmmaGemm.KernelFor(kMajor, mnMajor, backward, stored, stored),
            ];
            Assert.That(all, Is.SupersetOf(expected));
        }
    }

    [Test]
    public void LargeTilesAndEveryEpilogue([Values("bias", "quick", "gelu", "residual", "derivative",
        "gelu'")] string epilogue)
    {
        // Enough tiles for the largest, on any card.
        const int N = 136, K = 40;
        int M = 128 * Math.Max(2, Device.Multiprocessors / 2) + 4;
        bool derivative = epilogue is "derivative" or "gelu'";
        (DeviceArray a, Matrix left, float[] va) = Padded(M, K, false, 1);
        (DeviceArray b, Matrix right, float[] vb) = Padded(K, N, !derivative, 2);
        float[] bias = Random(N, 3, half: false), extra = Random(M * N, 4);
        DeviceArray c = Device.Allocate(M * N, Stored), biases = Device.From(bias), extras = Halves(extra);
        var result = new Matrix(c, M, N);
        switch (epilogue)
        {
            case "bias": Gemm.Run(left, right, result, new BiasEpilogue(biases)); break;
            case "quick": Gemm.Run(left, right, result, new ActivationEpilogue<QuickGelu>(biases, extras, N)); break;
            case "gelu": Gemm.Run(left, right, result, new ActivationEpilogue<Gelu>(biases, extras, N)); break;
            case "residual": Gemm.Run(left, right, result, new ResidualEpilogue(biases, extras, N)); break;
            case "derivative": Gemm.Run(left, right, result, new DerivativeEpilogue<QuickGelu>(extras, N)); break;
            default: Gemm.Run(left, right, result, new DerivativeEpilogue<Gelu>(extras, N)); break;
        }

        double[] product = GemmReference.Product(va, vb, (M, N, K)), v = new double[M * N],
            expected = new double[M * N];
        for (int i = 0; i < v.Length; i++)
        {
            v[i] = product[i] + bias[i % N];
            expected[i] = epilogue switch
            {
                "bias" => v[i],
                "quick" => QuickGeluReference.Forward(v[i]),
                "gelu" => GeluReference.Forward(v[i]),
                "residual" => v[i] + extra[i],
                "derivative" => product[i] * ElementwiseReference.Derivative(QuickGeluReference.Forward, extra[i]),
                _ => product[i] * ElementwiseReference.Derivative(GeluReference.Forward, extra[i]),
            };
        }
        // Exponential and quotient are approximate to a few units of fp32; values are below 8.
        AssertClose(Device.ToFloats(c), expected, e => 2 * Bound(K, half: true)(e) + 64 * U32, "c");
        if (epilogue is "quick" or "gelu")
            AssertClose(Device.ToFloats(extras), v, Bound(K, half: true), "pre-activation");
        if (tensorCores)
            Assert.That(Device.Launched.Single().Name, Does.Contain(Device.HasWgmma ? "wgmma" : "128x128"));
        Free(a, b, c, biases, extras);
    }

    [Test]
    public void AWeightsGradientIsCutInDepthAndAddedUpInOrder([Values] bool accumulate)
    {
        const int M = 24, N = 40, K = 2500;
        (DeviceArray a, Matrix left, float[] va) = Padded(M, K, true, 1);
        (DeviceArray b, Matrix right, float[] vb) = Padded(K, N, false, 2);
        float[] before = Random(M * N, 3, half: false);
        DeviceArray c = Device.From(before);

        Gemm.Run(left, right, new Matrix(c, M, N), accumulate);

        double[] expected = GemmReference.Product(va, vb, (M, N, K));
        for (int i = 0; i < expected.Length && accumulate; i++)
            expected[i] += before[i];
        // Random signs: sums of 2500 products stay below 80, and so do their errors, far below the worst case.
        AssertClose(Device.ToFloats(c), expected, _ => 16 * U32 * Math.Sqrt(K) * 10, "c");
        if (tensorCores)
            Assert.That(Device.Launched.Select(kernel => kernel.Name), Has.Some.StartsWith("SplitKReduction"));
        Free(a, b, c);
    }

    [Test]
    public void BatchesAndFp32([Values] bool fp32)
    {
        const int Count = 3, M = 9, N = 18, K = 24;
        float[] va = Random(Count * M * K, 1, !fp32), vb = Random(Count * K * N, 2, !fp32);
        DeviceArray a = fp32 ? Device.From(va) : Halves(va), b = fp32 ? Device.From(vb) : Halves(vb);
        DeviceArray c = Device.Allocate(Count * M * N, fp32 ? ElementType.Float32 : Stored);

        Gemm.Batched(new(new Matrix(a, M, K), M * K), new(new Matrix(b, N, K).Transposed, N * K),
            new(new Matrix(c, M, N), M * N), Count);

        double[] expected = [.. Enumerable.Range(0, Count).SelectMany(i =>
        {
            float[] left = va[(i * M * K)..((i + 1) * M * K)], right = vb[(i * N * K)..((i + 1) * N * K)];
            return GemmReference.Product(left, right, (M, N, K), transposeB: true);
        })];
        AssertClose(Device.ToFloats(c), expected, Bound(K, half: !fp32), "c");
        Free(a, b, c);
    }

    // On Hopper a block goes on from tile to tile: of no more depth than a stage, of two, and of more than it has
    // stages.
    [Test]
    public void ProductsForEachMultiprocessor([Values] bool transposeA, [Values] bool transposeB,
        [Values("67 136 97 1", "9 264 40 2", "9 264 128 1", "9 264 290 2")] string sizes)
    {
        int[] size = [.. sizes.Split(' ').Select(int.Parse)];
        (int m, int n, int k, int each) = (size[0], size[1], size[2], size[3]);
        int count = Device.Multiprocessors * each;
        (int rowsA, int columnsA) = transposeA ? (k, m) : (m, k);
        (int rowsB, int columnsB) = transposeB ? (n, k) : (k, n);
        (DeviceArray a, Matrix allA, float[] va) = Padded(count * rowsA, columnsA, false, 1);
        (DeviceArray b, Matrix allB, float[] vb) = Padded(count * rowsB, columnsB, false, 2);
        DeviceArray c = Device.Allocate((long)count * m * n, Stored);

        Gemm.Batched(
            new(new Matrix(a, rowsA, columnsA, allA.RowStride, 1).TransposedIf(transposeA), rowsA * allA.RowStride),
            new(new Matrix(b, rowsB, columnsB, allB.RowStride, 1).TransposedIf(transposeB), rowsB * allB.RowStride),
            new(new Matrix(c, m, n), m * n), count);

        double[] expected = [.. Enumerable.Range(0, count).SelectMany(i =>
            GemmReference.Product(One(va, i, m * k), One(vb, i, k * n), (m, n, k), transposeA, transposeB))];
        AssertClose(Device.ToFloats(c), expected, Bound(k, half: true), "c");
        if (tensorCores)
            Assert.That(Device.Launched.Single().Target, Is.EqualTo(Device.HasWgmma ? GpuTarget.Wgmma
                : GpuTarget.MmaSync));
        Free(a, b, c);

        static float[] One(float[] all, int index, int length) => all[(index * length)..((index + 1) * length)];
    }

    // The gradients of a ViT-B's weights by 25,216 tokens, and its products forward, on the 132 multiprocessors of an
    // H100.
    [TestCase(18, 25_216, 7)]
    [TestCase(72, 25_216, 5)]
    [TestCase(591, 768, 1)]
    public void WgmmaCutsTheDepthWhereThatKeepsMoreOfTheCardBusy(int tiles, int depth, int slices) =>
        Assert.That(Gemm.WgmmaSplits(tiles, 132, depth), Is.EqualTo(slices));

    // Rows are padded to a multiple of eight with NaN: what lies beyond an operand's edge must not come in.
    private (DeviceArray, Matrix, float[]) Padded(int rows, int columns, bool transposed, int seed)
    {
        float[] values = Random((long)rows * columns, seed);
        (int r, int c) = transposed ? (columns, rows) : (rows, columns);
        int leading = (c + 7) / 8 * 8;
        float[] padded = [.. Enumerable.Repeat(float.NaN, r * leading)];
        for (int i = 0; i < r; i++)
            for (int j = 0; j < c; j++)
                padded[i * leading + j] = transposed ? values[j * columns + i] : values[i * columns + j];
        DeviceArray array = Halves(padded);
        return (array, new Matrix(array, r, c, leading, 1).TransposedIf(transposed), values);
    }
}
