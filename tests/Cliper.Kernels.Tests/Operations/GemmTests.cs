using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class GemmTests(SimdLevel level) : HostDevices(level)
{
    // Operands within [-1, 1): a sum of K products rounded at every step, unit roundoff 2^-24. The partial sums are a
    // random walk of size sqrt(k / 9), so the roundings add up to about 2^-24 sqrt(K) sqrt(K / 18); 8 standard
    // deviations cover the largest of the 10^6 elements looked at. 4 more roundings of the result (scale, accumulate,
    // epilogue), of size at most sqrt(K) + 2.
    private static double Bound(int depth) =>
        Math.Pow(2, -24) * (8 * Math.Sqrt(depth) * Math.Sqrt(depth / 18.0) + 4 * (Math.Sqrt(depth) + 2));

    [Test]
    public void ProductsAreTheFormula([Values] bool transposeA, [Values] bool transposeB,
        [Values(1, 2, 13, 14, 50, 197)] int rows,
        [Values(1, 17, 32, 33, 200)] int columns, [Values(1, 7, 64, 129)] int depth) =>
        AssertProduct(rows, columns, depth, transposeA, transposeB);

    [TestCase(70, 65, 1024)]
    [TestCase(29, 40, 3072)]
    [TestCase(600, 130, 1600)]
    public void LongSumsAndManyRows(int rows, int columns, int depth)
    {
        foreach (bool transposeA in new[] { false, true })
            foreach (bool transposeB in new[] { false, true })
                AssertProduct(rows, columns, depth, transposeA, transposeB);
    }

    [Test]
    public void AddsToTheResultAndScales([Values] bool packed, [Values] bool accumulate,
        [Values(20, 1700)] int depth) =>
        AssertProduct(31, 45, depth, false, true, accumulate, -0.75f, packed);

    [Test]
    public void PackedOperandsGiveTheSameBits([Values(1, 5, 50, 260)] int rows, [Values(33, 256)] int columns,
        [Values] bool transposeB)
    {
        const int Depth = 1580;
        DeviceArray a = Device.From(Random((long)rows * Depth, 1)), b = Device.From(Random(Depth * (long)columns, 2));
        DeviceArray c = Device.Allocate((long)rows * columns), d = Device.Allocate((long)rows * columns);
        Matrix right = transposeB ? new Matrix(b, columns, Depth).Transposed : new Matrix(b, Depth, columns);
        using (PackedMatrix packed = PackedMatrix.Pack(right))
            Gemm.Run(new Matrix(a, rows, Depth), packed, new Matrix(c, rows, columns), default(NoEpilogue));
        Gemm.Run(new Matrix(a, rows, Depth), right, new Matrix(d, rows, columns));

        Assert.That(Device.ToFloats(c), Is.EqualTo(Device.ToFloats(d)));
        Free(a, b, c, d);
    }

    // Depth 3072 is cut into parts, and its rows share cache sets, so tiles are lower; columns past the last whole
    // panel.
    [Test]
    public void ARowsBitsDoNotDependOnTheNumberOfRows([Values(777, 3072)] int depth, [Values] bool packed,
        [Values] bool epilogue)
    {
        const int Rows = 61, Columns = 75;
        DeviceArray a = Device.From(Random((long)Rows * depth, 1)), b = Device.From(Random(depth * (long)Columns, 2));
        DeviceArray bias = Device.From(Random(Columns, 3)), c = Device.Allocate(Rows * Columns);
        var right = new Matrix(b, depth, Columns);
        using PackedMatrix weight = PackedMatrix.Pack(right);
        float[] Product(int rows)
        {
            Matrix left = new(a, rows, depth), result = new(c, rows, Columns);
            if (epilogue && packed)
                Gemm.Run(left, weight, result, new BiasEpilogue(bias));
            else if (epilogue)
                Gemm.Run(left, right, result, new BiasEpilogue(bias));
            else if (packed)
                Gemm.Run(left, weight, result, default(NoEpilogue));
            else
                Gemm.Run(left, right, result);
            return Device.ToFloats(c)[..(rows * Columns)];
        }

        float[] all = Product(Rows);
        foreach (int rows in new[] { 1, 8, 14, 50 })
            Assert.That(Product(rows), Is.EqualTo(all[..(rows * Columns)]), $"{rows} rows");
        Free(a, b, bias, c);
    }

    [Test]
    public void LeavesTheGapsOfWiderMatricesAlone()
    {
        const int Rows = 37, Columns = 41, Depth = 53, Wide = 60;
        float[] a = Random(Rows * Wide, 1), b = Random(Depth * Wide, 2), before = Random(Rows * Wide, 3);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.From(before);

        Gemm.Run(new Matrix(da, Rows, Depth, Wide, 1), new Matrix(db, Depth, Columns, Wide, 1),
            new Matrix(dc, Rows, Columns, Wide, 1));

        // The gaps of the rows stay what they were.
        double[] expected = [.. before.Select((value, i) => i % Wide < Columns ? 0.0 : value)];
        GemmReference.Run(new(Doubles.Of(a), Wide, 1), new(Doubles.Of(b), Wide, 1), new(expected, Wide, 1),
            (Rows, Columns, Depth));
        AssertClose(Device.ToFloats(dc), expected, Bound(Depth), "c");
        Free(da, db, dc);
    }

    [Test]
    public void AnyStridesWillDo()
    {
        const int Rows = 15, Columns = 35, Depth = 21;
        float[] a = Random(Rows * Depth * 2, 1), b = Random(Columns * Depth * 3, 2);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.Allocate(Rows * Columns);

        Gemm.Run(new Matrix(da, Rows, Depth, 2 * Depth, 2), new Matrix(db, Depth, Columns, 3, 3 * Depth),
            new Matrix(dc, Rows, Columns));

        var expected = new double[Rows * Columns];
        GemmReference.Run(new(Doubles.Of(a), 2 * Depth, 2), new(Doubles.Of(b), 3, 3 * Depth), new(expected, Columns, 1),
            (Rows, Columns, Depth));
        AssertClose(Device.ToFloats(dc), expected, Bound(Depth), "c");
        Free(da, db, dc);
    }

    [Test]
    public void BatchedIsOneProductAfterAnother([Values(1, 2, 7)] int count, [Values] bool shared,
        [Values] bool accumulate)
    {
        const int Rows = 19, Columns = 37, Depth = 24;
        float[] a = Random(count * Rows * Depth, 1), b = Random(count * Depth * Columns, 2),
            before = Random(count * Rows * Columns, 3);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.From(before);
        int strideB = shared ? 0 : Depth * Columns;

        Gemm.Batched(new(new Matrix(da, Rows, Depth), Rows * Depth), new(new Matrix(db, Depth, Columns), strideB),
            new(new Matrix(dc, Rows, Columns), Rows * Columns), count, accumulate, 0.5f);

        double[] expected = Doubles.Before(before, accumulate), left = Doubles.Of(a), right = Doubles.Of(b);
        for (int n = 0; n < count; n++)
            GemmReference.Run(new(left, Depth, 1, n * Rows * Depth), new(right, Columns, 1, n * strideB),
                new(expected, Columns, 1, n * Rows * Columns), (Rows, Columns, Depth), 0.5);
        AssertClose(Device.ToFloats(dc), expected, Bound(Depth), "c");
        Free(da, db, dc);
    }

    [Test]
    public void Epilogues([Values(1, 29)] int rows, [Values(5, 64, 83)] int columns, [Values(40, 1700)] int depth,
        [Values] bool packed)
    {
        float[] a = Random((long)rows * depth, 1), b = Random((long)depth * columns, 2), bias = Random(columns, 3);
        float[] other = Random((long)rows * columns, 4);
        double[] product = GemmReference.Product(a, b, (rows, columns, depth));
        DeviceArray dbias = Device.From(bias), dother = Device.From(other), pre = Device.Allocate(other.Length);
        // Slopes of QuickGELU reach 1.1; its own error is a few roundings of a result as large as its operand.
        double bound = 2 * Bound(depth), small = Bound(depth);

        AssertEpilogue(new BiasEpilogue(dbias), (v, i, j) => v + bias[j], bound, "bias");
        AssertEpilogue(new ActivationEpilogue<QuickGelu>(dbias, pre, columns), (v, i, j) =>
            QuickGeluReference.Forward(v + bias[j]), bound, "activation");
        AssertClose(Device.ToFloats(pre), [.. product.Select((v, at) => v + bias[at % columns])], small,
            "pre-activation");
        AssertEpilogue(new ActivationEpilogue<QuickGelu>(default, default, columns), (v, i, j) =>
            QuickGeluReference.Forward(v), bound, "activation alone");
        AssertEpilogue(new ResidualEpilogue(dbias, dother, columns), (v, i, j) => v + bias[j] + other[i * columns + j],
            bound, "residual");
        AssertEpilogue(new ResidualEpilogue(default, dother, columns), (v, i, j) => v + other[i * columns + j], bound,
            "residual alone");
        AssertEpilogue(new DerivativeEpilogue<QuickGelu>(dother, columns), (v, i, j) =>
            v * ElementwiseReference.Derivative(QuickGeluReference.Forward, other[i * columns + j]), bound,
            "derivative");
        Free(dbias, dother, pre);

        void AssertEpilogue<TEpilogue>(TEpilogue epilogue, Func<double, int, int, double> f, double limit, string what)
            where TEpilogue : struct, ICpuEpilogue
        {
            DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.Allocate(product.Length);
            if (packed)
            {
                using PackedMatrix right = PackedMatrix.Pack(new Matrix(db, depth, columns));
                Gemm.Run(new Matrix(da, rows, depth), right, new Matrix(dc, rows, columns), epilogue);
            }
            else
            {
                Gemm.Run(new Matrix(da, rows, depth), new Matrix(db, depth, columns), new Matrix(dc, rows, columns),
                    epilogue);
            }
            AssertClose(Device.ToFloats(dc), [.. product.Select((v, at) => f(v, at / columns, at % columns))],
                limit, what);
            Free(da, db, dc);
        }
    }

    [Test]
    public void ThreadsAndOtherRowsDoNotChangeABit([Values(3, 61, 530)] int rows, [Values] bool transposeA,
        [Values] bool transposeB)
    {
        const int Columns = 300, Depth = 850;
        float[] a = Random((long)rows * Depth, 1), b = Random(Depth * Columns, 2);
        float[][] results = [.. new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = new CpuDevice(threads, Device.Level);
            DeviceArray c = device.Allocate((long)rows * Columns);
            Gemm.Run(View(device.From(a), rows, Depth, transposeA), View(device.From(b), Depth, Columns, transposeB),
                new Matrix(c, rows, Columns));
            return device.ToFloats(c);
        })];

        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));
        if (transposeA)
            return;
        DeviceArray da = Device.From(a.AsSpan(0, Depth)), db = Device.From(b), first = Device.Allocate(Columns);
        Gemm.Run(new Matrix(da, 1, Depth), View(db, Depth, Columns, transposeB), new Matrix(first, 1, Columns));
        Assert.That(Device.ToFloats(first), Is.EqualTo(results[0][..Columns]), "the first row by itself");
        Free(da, db, first);
    }

    [Test]
    public void ANaNReachesItsRowAndAnInfinityItsColumn()
    {
        const int Rows = 20, Columns = 40, Depth = 10;
        float[] a = Random(Rows * Depth, 1), b = Random(Depth * Columns, 2);
        a[7 * Depth + 3] = float.NaN;
        a[2 * Depth + 5] = 0;
        b[5 * Columns + 11] = float.PositiveInfinity;
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.Allocate(Rows * Columns);

        Gemm.Run(new Matrix(da, Rows, Depth), new Matrix(db, Depth, Columns), new Matrix(dc, Rows, Columns));

        float[] c = Device.ToFloats(dc);
        for (int i = 0; i < Rows; i++)
            for (int j = 0; j < Columns; j++)
                Assert.That(float.IsFinite(c[i * Columns + j]), Is.EqualTo(i != 7 && j != 11), $"[{i}, {j}]");
        Assert.That(c[2 * Columns + 11], Is.NaN, "zero times infinity");
        Free(da, db, dc);
    }

    [Test]
    public void EmptySumsAreZero()
    {
        DeviceArray a = Device.Allocate(0), c = Device.From(Random(15 * 33, 1)), bias = Device.From(Random(33, 2));
        Gemm.Run(new Matrix(a, 15, 0), new Matrix(a, 0, 33), new Matrix(c, 15, 33));
        Assert.That(Device.ToFloats(c), Has.All.Zero);
        Gemm.Run(new Matrix(a, 15, 0), new Matrix(a, 0, 33), new Matrix(c, 15, 33), new BiasEpilogue(bias));
        Assert.That(Device.ToFloats(c)[33..66], Is.EqualTo(Random(33, 2)));
        Gemm.Run(new Matrix(a, 0, 4), new Matrix(bias, 4, 8), new Matrix(a, 0, 8));
        Free(a, c, bias);
    }

    [Test]
    public void WrongShapesAreNamed()
    {
        DeviceArray x = Device.Allocate(12), y = Device.Allocate(8);
        Assert.That(() => Gemm.Run(new Matrix(x, 3, 4), new Matrix(y, 2, 4), new Matrix(x, 3, 4)),
            Throws.ArgumentException.With.Message.Contains("[3, 4] times [2, 4] into [3, 4]"));
        Assert.That(() => Gemm.Run(new Matrix(x, 3, 5), new Matrix(y, 5, 1), new Matrix(y, 3, 1)),
            Throws.ArgumentException.With.Message.Contains("a has 12 elements, [3, 5] with these strides needs 15"));
        Assert.That(() => Gemm.Run(new Matrix(y, 2, 4), new Matrix(x, 4, 3), new Matrix(y, 2, 3), new BiasEpilogue(y)),
            Throws.ArgumentException.With.Message.Contains("bias has 8 elements, expected 3"));
        Free(x, y);
    }

    private void AssertProduct(int rows, int columns, int depth, bool transposeA, bool transposeB,
        bool accumulate = false,
        float scale = 1, bool packed = false)
    {
        float[] a = Random((long)rows * depth, 1), b = Random((long)depth * columns, 2),
            before = Random((long)rows * columns, 3);
        double[] expected = GemmReference.Product(a, b, (rows, columns, depth), transposeA, transposeB);
        for (int i = 0; i < expected.Length; i++)
            expected[i] = scale * expected[i] + (accumulate ? before[i] : 0);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.From(before);
        Matrix right = View(db, depth, columns, transposeB);

        if (packed)
        {
            using PackedMatrix panels = PackedMatrix.Pack(right);
            Gemm.Run(View(da, rows, depth, transposeA), panels, new Matrix(dc, rows, columns), default(NoEpilogue),
                accumulate, scale);
        }
        else
        {
            Gemm.Run(View(da, rows, depth, transposeA), right, new Matrix(dc, rows, columns), accumulate, scale);
        }

        AssertClose(Device.ToFloats(dc), expected, Bound(depth), "c");
        Free(da, db, dc);
    }

    private static Matrix View(DeviceArray data, int rows, int columns, bool transposed) =>
        transposed ? new Matrix(data, columns, rows).Transposed : new Matrix(data, rows, columns);
}
