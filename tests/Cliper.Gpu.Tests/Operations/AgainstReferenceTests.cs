using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// The operations that move memory more than they compute: what a GPU leaves is compared with the operation's reference
/// in double. Inputs are numbers of 16 bits, so both compute the same function; a 16-bit output adds its rounding,
/// u16 |y|, and the sums in fp32 and the approximate instructions add the slack that a test states, in units of fp32's
/// u32.
/// </summary>
[TestFixture(ElementType.Float16)]
[TestFixture(ElementType.BFloat16)]
[Parallelizable(ParallelScope.Self)]
public sealed class AgainstReferenceTests(ElementType stored) : GpuFixture(stored)
{
    // Half is the fixture's 16-bit format.
    private const ElementType Half = ElementType.Float16, Float = ElementType.Float32;

    /// <summary>An argument: for the reference in double, on the GPU of its type.</summary>
    private sealed record Operand(float[] Values, ElementType Type, bool Compare, double Slack, int[]? Integers = null);

    private Operand In(long count, int seed, ElementType type = Half, float scale = 1) => new(Random(count, seed,
        true, scale), type, false, 0);

    private Operand Out(long count, double slack, ElementType type = Half, int seed = 99) =>
        new(Random(count, seed), type, true, slack);

    private static Operand Integers(params int[] values) => new([], ElementType.Int32, false, 0, values);

    // Widths that are multiples of eight take 16 bytes at a time, the others one number.
    private static readonly int[] Widths = [1, 12, 64, 67, 328];

    // Rows that registers hold just so, and longer ones.
    private static readonly int[] LayerNormWidths = [.. Widths, 1024, 1096];

    [Test]
    public void LayerNormBothWays([ValueSource(nameof(LayerNormWidths))] int width, [Values(1, 5, 131)] int rows,
        [Values] bool accumulate)
    {
        long n = (long)rows * width;
        Compare(a => LayerNorm.Forward(a[0], new(a[1], a[2]), a[3], new(a[4], a[5]), new(rows, width)),
            r => LayerNormReference.Forward(r[0], (r[1], r[2]), r[3], r[4], r[5]),
            In(n, 1), In(width, 2, Float), In(width, 3, Float), Out(n, 64), Out(rows, 8, Float), Out(rows, 600, Float));
        // Both take the reference's statistics: a row of few elements has a large rstd, whose rounding counts above.
        double[] gamma = Doubles.Of(Random(width, 2)), mean = new double[rows], rstd = new double[rows];
        LayerNormReference.Forward(Doubles.Of(Random(n, 1)), (gamma, gamma), new double[n], mean, rstd);
        double largest = rstd.Max(), terms = Math.Sqrt(rows) + Math.Sqrt(width) + 8;
        Compare(a => LayerNorm.Backward(a[0], a[1], new(a[2], a[3]), a[4],
            new(new(a[5], accumulate), new(a[6], accumulate), new(a[7], accumulate)), new(rows, width)),
            r => LayerNormReference.Backward(r[0], r[1], (r[2], r[3]), r[4], Start(r[5]), Start(r[6]), Start(r[7])),
            In(n, 1), In(width, 2, Float), new(Doubles.Rounded(mean), Float, false, 0),
            new(Doubles.Rounded(rstd), Float, false, 0), In(n, 4), Out(n, 16 * largest * terms), Out(width,
            16 * largest * terms, Float), Out(width, 8 * terms, Float));

        double[] Start(double[] values) => Doubles.Start(values, accumulate);
    }

    // Several rows lie side by side where channels are a multiple of eight and the rows divide into them.
    [Test]
    public void BatchNormStatistics([ValueSource(nameof(Widths))] int channels, [Values(2, 131, 192)] int rows)
    {
        // Sums of numbers below 2, the shift included: their rounding grows with their root, and is divided by them.
        double slack = 16 + 4 * Math.Sqrt(rows);
        Compare(a => BatchNorm.Statistics(a[0], a[1], a[2]),
            r => BatchNormReference.Statistics(r[0], r[1], r[2]), In((long)rows * channels, 1),
            Out(channels, slack, Float), Out(channels, slack, Float));
        Compare(a => BatchNorm.UpdateRunning(a[0], a[1], a[2], a[3], rows),
            r => BatchNormReference.UpdateRunning(r[0], r[1], r[2], r[3], rows), In(channels, 1, Float),
            In(channels, 2, Float), Out(channels, 4, Float, 3), Out(channels, 4, Float, 4));
    }

    [Test]
    public void BatchNormForward([ValueSource(nameof(Widths))] int channels, [Values(5, 192)] int rows,
        [Values] bool relu, [Values] bool residual)
    {
        int n = rows * channels;
        // A result is at most 2.5: three products with an inverse root that is off by two units of roundoff.
        Compare(a => BatchNorm.Forward(a[0], new(a[1], a[2], a[3], a[4]), residual ? a[5] : default, a[6], relu),
            r => BatchNormReference.Forward(r[0], new(r[1], r[2], r[3], r[4]), residual ? r[5] : null, r[6], relu),
            In(n, 1), In(channels, 2, Float), In(channels, 3, Float), In(channels, 4, Float), Variances(channels),
            In(n, 6), Out(n, 32));
    }

    [Test]
    public void BatchNormBackward([ValueSource(nameof(Widths))] int channels, [Values(5, 192)] int rows,
        [Values] bool batch, [Values("none", "ReLU", "residual")] string form, [Values] bool accumulate)
    {
        int n = rows * channels;
        // Sums far from zero, so that rounding does not change what the ReLU lets pass.
        Operand x = new(Rounded([.. Random(n, 1).Select(value => Math.Sign(value) * (1 + Math.Abs(value)) / 2)]), Half,
                false, 0),
            gamma = new([.. Random(channels, 2).Select(value => 0.75f + value / 4)], Float, false, 0),
            zeros = new(new float[channels], Float, false, 0),
            dy = new(Random(n, 3), Half, true, 0);
        double sums = 16 + 16 * Math.Sqrt(rows);
        Compare(a => BatchNorm.Backward(a[0], new(a[1], a[2], a[3], a[4]), a[5],
            form == "residual" ? a[6] : default,
            new(new(a[7], accumulate), new(a[8], accumulate), new(a[9], accumulate)), batch, form != "none"),
            Reference, x, gamma, zeros, zeros, Variances(channels), dy, In(n, 7), Out(n, 64),
            Out(channels, sums, Float), Out(channels, sums, Float));

        void Reference(double[][] r)
        {
            var parameters = new BatchNormReference.Parameters(r[1], r[2], r[3], r[4]);
            double[] y = r[6], g = r[5];
            if (form == "ReLU")
                BatchNormReference.Forward(r[0], parameters, null, y, relu: true);
            if (form != "none")
                g = BatchNormReference.PassRelu(g, y);
            // With a residual dy becomes the residual's gradient.
            if (form == "residual")
                r[5] = g;
            BatchNormReference.Backward(r[0], parameters, g, Doubles.Start(r[7], accumulate),
                Doubles.Start(r[8], accumulate), Doubles.Start(r[9], accumulate), batch);
        }
    }

    private Operand Variances(int channels) =>
        new([.. Random(channels, 5).Select(value => 1.5f + value)], Float, false, 0);

    [Test]
    public void AveragePoolBothWays([Values("2 6 8 16 2", "1 5 7 11 2", "2 7 7 64 7", "1 4 3 5 1")] string sizes,
        [Values] bool accumulate)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        var input = new FeatureMap(s[0], s[1], s[2], s[3]);
        long output = AveragePool.Output(input, s[4]).Count;
        Compare(a => AveragePool.Forward(a[0], a[1], input, s[4]),
            r => AveragePoolReference.Forward(r[0], r[1], input, s[4]), In(input.Count, 1), Out(output, 8 + s[4]));
        Compare(a => AveragePool.Backward(a[0], new(a[1], accumulate), input, s[4]),
            r => AveragePoolReference.Backward(r[0], Doubles.Start(r[1], accumulate), input, s[4]),
            In(output, 1), Out(input.Count, 4));
    }

    [Test]
    public void MeanTokensBothWays([ValueSource(nameof(Widths))] int width, [Values(1, 9)] int pixels,
        [Values] bool accumulate)
    {
        const int N = 3;
        Compare(a => AddMeanToken.Forward(a[0], a[1], a[2], N, pixels, width),
            r => AddMeanTokenReference.Forward(r[0], r[1], r[2], pixels, width),
            In(N * pixels * width, 1), In((pixels + 1) * width, 2, Float), Out(N * (pixels + 1) * width, 16));
        Compare(a => AddMeanToken.Backward(a[0], new(a[1], accumulate), new(a[2], accumulate), N, pixels, width),
            r => AddMeanTokenReference.Backward(r[0], Doubles.Start(r[1], accumulate), Doubles.Start(r[2], accumulate),
                pixels, width),
            In(N * (pixels + 1) * width, 1), Out(N * pixels * width, 4), Out((pixels + 1) * width, 8, Float));
    }

    [Test]
    public void ColumnSums([ValueSource(nameof(Widths))] int width, [Values(0, 1, 200)] int rows,
        [Values] bool accumulate,
        [Values] bool half)
    {
        int stride = width + (width % 8 == 0 ? 16 : 1);
        Compare(a => ColumnSum.Forward(a[0], new(a[1], accumulate), rows, width, stride),
            r => ColumnSumReference.Forward(r[0], Doubles.Start(r[1], accumulate), rows, width, stride),
            In(rows == 0 ? 0 : (rows - 1) * stride + width, 1, half ? Half : Float), Out(width, 8 * Math.Sqrt(rows
            + 1), Float));
    }

    [Test]
    public void L2NormalizeBothWays([ValueSource(nameof(Widths))] int width, [Values] bool accumulate)
    {
        const int Rows = 6;
        Compare(a => L2Normalize.Forward(a[0], a[1], a[2], Rows, width),
            r => L2NormalizeReference.Forward(r[0], r[1], r[2], Rows, width),
            In(Rows * width, 1, Float), Out(Rows * width, 16, Float), Out(Rows, 4000, Float));
        float[] inverse = [2, .5f, 1, 0, 3, 1];
        Compare(a => L2Normalize.Backward(a[0], a[1], a[2], new(a[3], accumulate), Rows, width),
            r => L2NormalizeReference.Backward(r[0], r[1], r[2], Doubles.Start(r[3], accumulate), Rows, width),
            In(Rows * width, 1, Float), new(inverse, Float, false, 0), In(Rows * width, 2, Float), Out(Rows * width,
                100 * Math.Sqrt(width), Float));
    }

    [Test]
    public void SumsOfAllLengths([Values(0, 1, 255, 16384, 40001)] int count, [Values] bool accumulate)
    {
        double slack = 8 + 4 * Math.Sqrt(count);
        Compare(a => Sum.Forward(a[0], a[1], accumulate),
            r => SumReference.Forward(r[0], Doubles.Start(r[1], accumulate)),
            In(count, 1, Float), Out(1, slack, Float));
        Compare(a => Sum.Products(a[0], a[1], a[2], accumulate),
            r => SumReference.Products(r[0], r[1], Doubles.Start(r[2], accumulate)),
            In(count, 1, Float), In(count, 2, Float), Out(1, slack, Float));
        Compare(a => Sum.Backward(a[0], new(a[1], accumulate)),
            r => SumReference.Backward(r[0], Doubles.Start(r[1], accumulate)), In(1, 1, Float), Out(count, 1, Float));
    }

    [Test]
    public void SoftmaxCrossEntropyBothWays([Values(1, 7, 100)] int classes, [Values] bool soft,
        [Values] bool accumulate)
    {
        const int Rows = 9;
        int[] labels = [.. Enumerable.Range(0, Rows).Select(row => row * 5 % classes)];
        Operand targets = soft
            ? new([.. Random(Rows * classes, 5).Select(value => Math.Abs(value) / classes)], Float, false, 0)
            : Integers(labels);
        // Logits up to 30: exponents' and logarithms' errors of 2^-22 of about 30.
        Compare(a => SoftmaxCrossEntropy.Forward(a[0], a[1], a[2], a[3], Rows, classes),
            r => SoftmaxCrossEntropyReference.Forward(r[0], Targets(r), r[2], r[3]),
            In(Rows * classes, 1, Float, 30), targets, Out(1, 500, Float), Out(Rows, 500, Float));
        float[] x = Random(Rows * classes, 1, true, 30);
        double[] logSum = new double[Rows];
        SoftmaxCrossEntropyReference.Forward(Doubles.Of(x), new double[x.Length], new double[1], logSum);
        Compare(a => SoftmaxCrossEntropy.Backward(a[0], a[1], a[2], a[3], new(a[4], accumulate), Rows, classes),
            r => SoftmaxCrossEntropyReference.Backward(r[0], Targets(r), r[2], r[3], Doubles.Start(r[4], accumulate)),
            new(x, Float, false, 0), targets, new(Doubles.Rounded(logSum), Float, false, 0), In(1, 3, Float),
            Out(Rows * classes, 500, Float));

        double[] Targets(double[][] r) => soft ? r[1] : SoftmaxCrossEntropyReference.OneHot(labels, classes);
    }

    [Test]
    public void BothLossesOfCliper([Values] EmptySubclasses rule, [Values(1, 3, 300)] int batch,
        [Values] bool accumulate, [Values] bool modulates)
    {
        const int Classes = 7, Subclasses = 5, Width = Classes * Subclasses;
        int[] labels = [.. Enumerable.Range(0, batch).Select(b => b * 3 % Classes)];
        // Logits are cosines over a temperature, here up to 30.
        Operand logits = In(batch * Width, 1, Float, 30);
        CliperLossReference.Outcome outcome = Both(Doubles.Of(logits.Values), 0, 0);
        Compare(a => CliperLoss.Forward(a[0], a[1], a[2], new(a[3], a[4], a[5]), new(batch, Classes, Subclasses), rule,
            modulates),
            r => (r[2], r[3], r[4], r[5]) = ([outcome.Fine, outcome.Margin], outcome.Alpha,
                [.. outcome.Nearest.Select(value => (double)value)],
                [.. outcome.Counts.Select(value => (double)value)]),
            logits, Integers(labels), Out(2, 4000, Float), Out(batch, 200, Float),
            new([], ElementType.Int32, true, 0, new int[batch]), new([], ElementType.Int32, true, 0, new int[Width]));
        Compare(a => CliperLoss.Backward(a[0], a[1], new(a[2], a[3], default), a[4], new(a[5], accumulate),
            new(batch, Classes, Subclasses)),
            r => AddReference.Backward(Both(r[0], r[4][0], r[4][1]).Gradient, Doubles.Start(r[5], accumulate)),
            logits, Integers(labels), new(Doubles.Rounded(outcome.Alpha), Float, false, 0),
            Integers(outcome.Nearest), In(2, 3, Float), Out(batch * Width, 2000, Float));

        CliperLossReference.Outcome Both(double[] s, double fine, double margin) =>
            CliperLossReference.Both(s, labels, (Classes, Subclasses), rule, fine, margin, modulates);
    }

    [Test]
    public void GatheredRowsAndTheirGradients([ValueSource(nameof(Widths))] int width, [Values] bool accumulate)
    {
        int[] rows = [3, 0, 3, 8, 3];
        foreach ((ElementType table, ElementType y) in new[] { (Half, Half), (Float, Half), (Float, Float) })
            Compare(a => Gather.Forward(a[0], a[1], a[2], 9, width),
                r => GatherReference.Forward(r[0], rows, r[2], width),
                In(9 * width, 1, table), Integers(rows), Out(5 * width, 0, y));
        foreach ((ElementType y, ElementType table) in new[] { (Half, Half), (Half, Float), (Float, Float) })
            Compare(a => Gather.Backward(a[0], a[1], new(a[2], accumulate), 9, width),
                r => GatherReference.Backward(rows, r[1], Doubles.Start(r[2], accumulate), width),
                Integers(rows), In(5 * width, 1, y), Out(9 * width, 8, table));
    }

    [Test]
    public void TokensMoveWhereTheyBelong([ValueSource(nameof(Widths))] int width, [Values] bool accumulate)
    {
        const int N = 3, T = 6, L = 2;
        // One after the other, at both ends, and backwards.
        int[] slots = [1, 2, 0, 5, 4, 3];
        var sizes = new Place.Sizes(N, T, L, width);
        Compare(a => AddPositions.Forward(a[0], a[1], a[2], N, T, width),
            r => AddPositionsReference.Forward(r[0], r[1], r[2]),
            In(N * T * width, 1), In(T * width, 2, Float), Out(N * T * width, 2));
        Compare(a => AddClassToken.Forward(a[0], a[1], a[2], a[3], new(N, T, width)),
            r => AddClassTokenReference.Forward(r[0], r[1], r[2], r[3]),
            In(N * T * width, 1), In(width, 2, Float), In((T + 1) * width, 3, Float), Out(N * (T + 1) * width, 2));
        Compare(a => AddClassToken.Backward(a[0], new(a[1], accumulate), new(a[2], accumulate),
            new(a[3], accumulate), new(N, T, width)),
            r => AddClassTokenReference.Backward(r[0], Begin(r[1]), Begin(r[2]), Begin(r[3])),
            In(N * (T + 1) * width, 1), Out(N * T * width, 2), Out(width, 8, Float), Out((T + 1) * width, 8, Float));
        Compare(a => Place.Forward(a[0], a[1], a[2], a[3], sizes),
            r => PlaceReference.Forward(r[0], r[1], slots, r[3], sizes),
            In(N * T * width, 1), In(N * L * width, 2, Float), Integers(slots), Out(N * T * width, 0));
        Compare(a => Place.Backward(a[0], a[1], new(a[2], accumulate), new(a[3], accumulate), sizes),
            r => PlaceReference.Backward(r[0], slots, Begin(r[2]), Begin(r[3]), sizes),
            In(N * T * width, 1), Integers(slots), Out(N * T * width, 2), Out(N * L * width, 2, Float));

        double[] Begin(double[] values) => Doubles.Start(values, accumulate);
    }

    [Test]
    public void MeansOfFrames([ValueSource(nameof(Widths))] int width, [Values(1, 3)] int frames,
        [Values] bool accumulate)
    {
        const int Samples = 7;
        int means = Samples * width;
        Compare(a => Mean.Forward(a[0], a[1], Samples, frames, width),
            r => MeanReference.Forward(r[0], r[1], frames, width), In(means * frames, 1, Float), Out(means, 8, Float));
        Compare(a => Mean.Backward(a[0], new(a[1], accumulate), Samples, frames, width),
            r => MeanReference.Backward(r[0], Doubles.Start(r[1], accumulate), frames, width), In(means, 1, Float),
            Out(means * frames, 8, Float));
    }

    [Test]
    public void ElementsOneByOne([Values(1, 7, 2049)] int count, [Values] bool accumulate)
    {
        Compare(a => Add.Forward(a[0], a[1], a[2]), r => AddReference.Forward(r[0], r[1], r[2]), In(count, 1),
            In(count, 2), Out(count, 2));
        Compare(a => Scale.Forward(a[0], .3f, a[1], accumulate),
            r => ScaleReference.Forward(r[0], .3f, Doubles.Start(r[1], accumulate)), In(count, 1, Float),
            Out(count, 4, Float));
        foreach (int factors in new[] { count, 1 })
            Compare(a => Multiply.Forward(a[0], a[1], a[2]), r => MultiplyReference.Forward(r[0], r[1], r[2]),
                In(count, 1, Float), In(factors, 2, Float), Out(count, 2, Float));
    }

    private static IEnumerable<Type> UnaryOperations => ElementwiseKernels.UnaryOperations;

    // Arguments up to 8 are also beyond the range of GELU's polynomial. An exponential of them is off by 8 log2 e u32
    // of its argument's rounding and 4 u32 of its own; what is made of it adds a few roundings more.
    [Test]
    public void ElementwiseOperationsBothWays([ValueSource(nameof(UnaryOperations))] Type operation, [Values(1, 7,
        2049)] int count,
        [Values] bool accumulate, [Values] bool half)
    {
        ElementType type = half ? Half : Float;
        Func<double, double> f = ElementwiseReference.Forward(operation);
        Compare(a => Call(operation, nameof(Elementwise.Forward), a[0], a[1]),
            r => r[1] = [.. r[0].Select(f)], In(count, 1, type, 8), Out(count, 64, type));
        Compare(a => Call(operation, nameof(Elementwise.Backward), a[0], a[1], new GradientTarget(a[2], accumulate)),
            r => ElementwiseReference.Backward(f, r[0], r[1], Doubles.Start(r[2], accumulate)),
            In(count, 1, type, 8), In(count, 2, type), Out(count, 64, type));
    }

    private static void Call(Type operation, string method, params object[] arguments) =>
        typeof(Elementwise).GetMethod(method)!.MakeGenericMethod(operation).Invoke(null, arguments);

    [Test]
    public void CastsRoundOnceAndAreExactBack([Values(1, 7, 2049)] int count)
    {
        Compare(a => Cast.Forward(a[0], a[1]), r => CastReference.Forward(r[0], r[1], Stored), In(count, 1, Float),
            Out(count, 0));
        Compare(a => Cast.Forward(a[0], a[1]), r => CastReference.Forward(r[0], r[1], Float), In(count, 1),
            Out(count, 0, Float));
    }

    [Test]
    public void RandomNumbersAreTheHostsToTheBit()
    {
        using var host = new CpuDevice(1);
        foreach (Action<DeviceArray> draw in new Action<DeviceArray>[]
            { y => Philox.Uniform(y, 7, RandomPurpose.Augmentation, 3, 1, -2, 5),
                y => Philox.Normal(y, 7, RandomPurpose.Initialization, 3, 1, 1, 2) })
        {
            DeviceArray expected = host.Allocate(1027), actual = Device.Allocate(1027);
            draw(expected);
            draw(actual);
            Assert.That(Device.ToFloats(actual), Is.EqualTo(host.ToFloats(expected)));
            Free(actual);
        }
    }

    // Logits up to 10 differ by up to 20: an exponential is off by the 20 log2 e u32 of its argument, and so is their
    // sum. What backward multiplies is at most 1.
    [Test]
    public void SoftmaxBothWays([ValueSource(nameof(Widths))] int width, [Values(1, 5)] int rows,
        [Values] bool accumulate,
        [Values] bool half)
    {
        ElementType type = half ? Half : Float;
        int n = rows * width;
        Compare(a => Softmax.Forward(a[0], a[1], rows, width),
            r => SoftmaxReference.Forward(r[0], r[1], rows, width), In(n, 1, type, 10), Out(n, 128, type));
        Operand y = new(Rounded([.. Random(n, 2).Select(value => Math.Abs(value) / width)]), type, false, 0);
        Compare(a => Softmax.Backward(a[0], a[1], new(a[2], accumulate), rows, width),
            r => SoftmaxReference.Backward(r[0], r[1], Doubles.Start(r[2], accumulate), rows, width),
            y, In(n, 3, type), Out(n, 8 + Math.Sqrt(width), type));
    }

    [Test]
    public void PatchesAndTheirGradients([Values("2 3 16 16 8 24", "3 3 18 12 6 20", "1 2 9 9 3 7")] string shape,
        [Values] bool accumulate)
    {
        int[] s = [.. shape.Split(' ').Select(int.Parse)];
        var sizes = new PatchEmbedding.Sizes(s[0], s[1], s[2], s[3], s[4], s[5]);
        long images = (long)s[0] * s[1] * s[2] * s[3], weights = (long)s[5] * sizes.Pixels,
            tokens = (long)s[0] * sizes.Patches * s[5];
        Compare(a => PatchEmbedding.Forward(a[0], a[1], a[2], sizes),
            r => PatchEmbeddingReference.Forward(r[0], r[1], r[2], sizes),
            In(images, 1, Float), In(weights, 2), Out(tokens, 16 * Math.Sqrt(sizes.Pixels)));
        Compare(a => PatchEmbedding.Backward(a[0], a[1], a[2], default, new(a[3], accumulate), sizes),
            r => PatchEmbeddingReference.Backward((r[0], r[1]), r[2], null, Doubles.Start(r[3], accumulate), sizes),
            In(images, 1, Float), In(weights, 2), In(tokens, 3), Out(weights, 16 * Math.Sqrt(tokens), Float));
    }

    [Test]
    public void ManyTensorsAreStepped()
    {
        int[] lengths = [1, 4096, 5, 9001, 64];
        long[] starts = [0, 4096, 8192, 12288, 24576];
        int total = 24640;
        Compare(a =>
        {
            DeviceArray half = Device.From([.5f]);
            for (int step = 1; step <= 3; step++)
                AdamWUpdate.Step([.. lengths.Select((length, i) => new AdamWUpdate.Slot(At(a[0], i), At(a[1], i),
                    At(a[2], i), At(a[3], i), step, 1e-2f, .1f))], new AdamWUpdate.Settings(.9, .999, 1e-4, half));
            Device.Free(half);
            DeviceArray At(DeviceArray whole, int i) => whole.Slice(starts[i], lengths[i]);
        }, r =>
        {
            for (int i = 0; i < lengths.Length; i++)
            {
                double[][] part = [.. r.Select(whole => whole.AsSpan((int)starts[i], lengths[i]).ToArray())];
                for (int step = 1; step <= 3; step++)
                    AdamWUpdateReference.Step(new(part[0], part[1], part[2], part[3], step),
                        new(.9, .999, 1e-4, 1e-2f, .1f), .5);
                foreach ((double[] whole, double[] stepped) in r.Zip(part))
                    stepped.CopyTo(whole, starts[i]);
            }
        }, Out(total, 100, Float, 1), In(total, 2, Float), new(new float[total], Float, true, 32),
            new(new float[total], Float, true, 32));
    }

    private void Compare(Action<DeviceArray[]> operation, Action<double[][]> reference, params Operand[] operands)
    {
        double[][] expected = [.. operands.Select(o => o.Integers is null ? Doubles.Of(o.Values)
            : Array.ConvertAll(o.Integers, value => (double)value))];
        DeviceArray[] actual = [.. operands.Select(o => o.Integers is not null ? Device.From(o.Integers)
            : o.Type == Half ? Halves(o.Values) : Device.From(o.Values))];
        reference(expected);
        operation(actual);
        for (int i = 0; i < operands.Length; i++)
        {
            Operand operand = operands[i];
            if (operand.Compare && operand.Integers is not null)
            {
                var integers = new int[operand.Integers.Length];
                Device.Download(actual[i], System.Runtime.InteropServices.MemoryMarshal.AsBytes(integers.AsSpan()));
                Assert.That(integers, Is.EqualTo(expected[i]), $"argument {i}");
            }
            else if (operand.Compare)
            {
                // Products in fp16 may be rounded twice: before and after what is added.
                AssertClose(Device.ToFloats(actual[i]), expected[i],
                    value => operand.Slack * U32 * Math.Max(1, Math.Abs(value)) + (operand.Type == Half
                    ? U16 * Math.Abs(value) + Tiny : 0), $"argument {i}");
            }
        }
        Free(actual);
    }
}
