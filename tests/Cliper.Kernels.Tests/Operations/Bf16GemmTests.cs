using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

/// <summary>GEMMs of bf16 operands on the CPU: by emitted code where the CPU has VDPBF16PS, and emulated.</summary>
public sealed class Bf16GemmTests(SimdLevel? emulated) : Bf16Devices(emulated)
{
    // Operands that are rounded to bf16 have exact products, so a sum of K terms has the roundings of an fp32 GEMM
    // of fused multiply-adds, and its bound: see GemmTests.
    private static double Bound(int depth) =>
        Math.Pow(2, -24) * (8 * Math.Sqrt(depth) * Math.Sqrt(depth / 18.0) + 4 * (Math.Sqrt(depth) + 2));

    [Test]
    public void ProductsAreThoseOfRoundedOperands([Values] bool transposeA, [Values] bool transposeB,
        [Values] bool packed, [Values(1, 15, 50)] int rows, [Values(1, 17, 65)] int columns,
        [Values(1, 2, 7, 129)] int depth) =>
        AssertProduct(rows, columns, depth, transposeA, transposeB, packed, accumulate: false, scale: 1);

    [Test]
    public void LongSumsAddAndScale([Values] bool transposeA, [Values] bool transposeB, [Values] bool packed,
        [Values] bool accumulate) =>
        AssertProduct(70, 70, 1571, transposeA, transposeB, packed, accumulate, scale: -0.75f);

    [Test]
    public void EpiloguesAreAppliedToTheSums([Values] bool accumulate)
    {
        const int Rows = 29, Columns = 45, Depth = 800;
        float[] a = Numbers(Rows * Depth, 1), b = Numbers(Depth * Columns, 2), before = Numbers(Rows * Columns, 3);
        float[] bias = Numbers(Columns, 4), residual = Numbers(Rows * Columns, 5);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.From(before);
        DeviceArray dBias = Device.From(bias), dResidual = Device.From(residual), pre = Device.Allocate(dc.Length);

        Gemm.Run(new Matrix(da, Rows, Depth), new Matrix(db, Depth, Columns), new Matrix(dc, Rows, Columns),
            new ResidualEpilogue(dBias, dResidual, Columns), accumulate);
        double[] expected = Product(a, b, accumulate ? before : null, (Rows, Columns, Depth), false, false, 1);
        AssertClose(Device.ToFloats(dc), [.. expected.Select((sum, i) => sum + bias[i % Columns] + residual[i])],
            Bound(Depth));

        Gemm.Run(new Matrix(da, Rows, Depth), new Matrix(db, Depth, Columns), new Matrix(dc, Rows, Columns),
            new ActivationEpilogue<QuickGelu>(dBias, pre, Columns));
        expected = Product(a, b, null, (Rows, Columns, Depth), false, false, 1);
        AssertClose(Device.ToFloats(pre), [.. expected.Select((sum, i) => sum + bias[i % Columns])], Bound(Depth));
        Free(da, db, dc, dBias, dResidual, pre);
    }

    [Test]
    public void ThreadsAndNeighborsDoNotChangeABit([Values] bool transposeA, [Values] bool packed)
    {
        const int Rows = 150, Columns = 70, Depth = 900, Few = 9;
        float[] a = Numbers(Rows * Depth, 1), b = Numbers(Depth * Columns, 2);
        float[] one = Run(1, Rows), two = Run(2, Rows), three = Run(3, Rows), few = Run(2, Few);

        Assert.That(two, Is.EqualTo(one), "2 threads");
        Assert.That(three, Is.EqualTo(one), "3 threads");
        Assert.That(few, Is.EqualTo(one[..(Few * Columns)]), "few rows");

        float[] Run(int threads, int rows)
        {
            using CpuDevice device = NewDevice(threads);
            DeviceArray da = device.From(a), db = device.From(b), dc = device.Allocate(rows * Columns);
            Matrix left = transposeA ? new(da, rows, Depth, 1, Rows) : new(da, rows, Depth, Depth, 1);
            Matrix right = new(db, Depth, Columns), c = new(dc, rows, Columns);
            if (packed)
            {
                using PackedMatrix weight = PackedMatrix.Pack(right);
                Gemm.Run(left, weight, c, default(NoEpilogue));
            }
            else
            {
                Gemm.Run(left, right, c);
            }
            return device.ToFloats(dc);
        }
    }

    [Test]
    public void EmittedCodeAndEmulationGiveTheSameBits()
    {
        if (IsEmulated)
            Assert.Ignore("the fixture of the emitted code compares both");
        const int Rows = 40, Columns = 50, Depth = 1601;
        float[] a = Numbers(Rows * Depth, 1), b = Numbers(Depth * Columns, 2);
        using CpuDevice other = CpuDevice.EmulatingBf16(1, SimdLevels.Best);

        Assert.That(Run(Device), Is.EqualTo(Run(other)));

        float[] Run(CpuDevice device)
        {
            DeviceArray da = device.From(a), db = device.From(b), dc = device.Allocate(Rows * Columns);
            Gemm.Run(new Matrix(da, Rows, Depth), new Matrix(db, Depth, Columns), new Matrix(dc, Rows, Columns));
            float[] result = device.ToFloats(dc);
            foreach (DeviceArray array in new[] { da, db, dc })
                device.Free(array);
            return result;
        }
    }

    [Test]
    public void ANanStaysInItsRow([Values] bool transposeA)
    {
        // 0x7f800001 is a NaN of which nothing is left in the upper half but infinity.
        const int Rows = 20, Columns = 33, Depth = 65, Row = 7, Column = 64;
        float[] a = Numbers(Rows * Depth, 1), b = Numbers(Depth * Columns, 2);
        a[transposeA ? Column * Rows + Row : Row * Depth + Column] = BitConverter.UInt32BitsToSingle(0x7f800001);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.Allocate(Rows * Columns);

        Gemm.Run(transposeA ? new(da, Rows, Depth, 1, Rows) : new(da, Rows, Depth, Depth, 1),
            new Matrix(db, Depth, Columns), new Matrix(dc, Rows, Columns));

        float[] c = Device.ToFloats(dc);
        for (int i = 0; i < c.Length; i++)
            Assert.That(float.IsNaN(c[i]), Is.EqualTo(i / Columns == Row), $"row {i / Columns}");
        Free(da, db, dc);
    }

    [Test]
    public void BatchesStayInFp32()
    {
        const int Count = 3, Rows = 17, Columns = 33, Depth = 65;
        float[] a = Numbers(Count * Rows * Depth, 1), b = Numbers(Count * Depth * Columns, 2);
        using var plain = new CpuDevice(1, Device.Level);

        Assert.That(Run(Device), Is.EqualTo(Run(plain)));

        static MatrixBatch Batch(DeviceArray data, int rows, int columns) =>
            new(new Matrix(data, rows, columns), rows * columns);

        float[] Run(CpuDevice device)
        {
            DeviceArray da = device.From(a), db = device.From(b), dc = device.Allocate(Count * Rows * Columns);
            Gemm.Batched(Batch(da, Rows, Depth), Batch(db, Depth, Columns), Batch(dc, Rows, Columns), Count);
            float[] result = device.ToFloats(dc);
            foreach (DeviceArray array in new[] { da, db, dc })
                device.Free(array);
            return result;
        }
    }

    private void AssertProduct(int rows, int columns, int depth, bool transposeA, bool transposeB, bool packed,
        bool accumulate, float scale)
    {
        float[] a = Numbers(rows * depth, 1), b = Numbers(depth * columns, 2), before = Numbers(rows * columns, 3);
        DeviceArray da = Device.From(a), db = Device.From(b), dc = Device.From(before);
        Matrix left = transposeA ? new(da, rows, depth, 1, rows) : new(da, rows, depth, depth, 1);
        Matrix right = transposeB ? new(db, depth, columns, 1, depth) : new(db, depth, columns, columns, 1);
        var c = new Matrix(dc, rows, columns);
        if (packed)
        {
            using PackedMatrix weight = PackedMatrix.Pack(right);
            Gemm.Run(left, weight, c, default(NoEpilogue), accumulate, scale);
        }
        else
        {
            Gemm.Run(left, right, c, accumulate, scale);
        }
        AssertClose(Device.ToFloats(dc), Product(a, b, accumulate ? before : null, (rows, columns, depth), transposeA,
            transposeB, scale), Bound(depth));
        Free(da, db, dc);
    }

    private static double[] Product(float[] a, float[] b, float[]? before, (int Rows, int Columns, int Depth) size,
        bool transposeA, bool transposeB, float scale)
    {
        double[] result = new double[size.Rows * size.Columns];
        GemmReference.Run(new(Doubles.Of(Rounded(a)), transposeA ? 1 : size.Depth, transposeA ? size.Rows : 1),
            new(Doubles.Of(Rounded(b)), transposeB ? 1 : size.Columns, transposeB ? size.Depth : 1),
            new(result, size.Columns, 1),
            size);
        for (int i = 0; i < result.Length; i++)
            result[i] = scale * result[i] + (before?[i] ?? 0);
        return result;
    }
}
