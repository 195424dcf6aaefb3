using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Tests.Collectives;

namespace Cliper.Kernels.Tests.Operations;

public sealed class BatchNormTests(SimdLevel level) : HostDevices(level)
{
    // Rows and channels; the last ones have several slices of rows.
    private static readonly (int Rows, int Channels)[] Sizes = [(2, 1), (5, 7), (37, 16), (64, 19), (2500, 19),
        (700, 131)];

    [TestCaseSource(nameof(Sizes))]
    public void Statistics_AreThoseOfEachChannel((int Rows, int Channels) size)
    {
        float[] x = Shifted(size.Rows, size.Channels, 1);
        (double[] expectedMean, double[] expectedVariance) = Moments(x, size.Channels);
        DeviceArray ax = Device.From(x), mean = Device.Allocate(size.Channels),
            variance = Device.Allocate(size.Channels);

        BatchNorm.Statistics(ax, mean, variance);

        // Means of up to 10 are rounded to 24 bits; the sums of numbers about 1 grow their rounding with sqrt(rows).
        AssertClose(Device.ToFloats(mean), expectedMean, 10 * Bound(size.Rows), "mean");
        AssertClose(Device.ToFloats(variance), expectedVariance, 10 * Bound(size.Rows), "variance");
        Free(ax, mean, variance);
    }

    [Test]
    public void Statistics_OfALargeMean_KeepTheirDigits()
    {
        const int Rows = 3000, Channels = 17;
        // The numbers 4096 + k / 1024 are exact in fp32; sums of their squares would lose the variance altogether.
        float[] x = [.. Random(Rows * Channels, 1).Select(value => 4096 + MathF.Round(1024 * value) / 1024)];
        (_, double[] expected) = Moments(x, Channels);
        DeviceArray ax = Device.From(x), mean = Device.Allocate(Channels), variance = Device.Allocate(Channels);

        BatchNorm.Statistics(ax, mean, variance);

        AssertClose(Device.ToFloats(variance), expected, 10 * Bound(Rows), "variance");
        Free(ax, mean, variance);
    }

    [Test]
    public void UpdateRunning_TakesTheUnbiasedVariance()
    {
        DeviceArray mean = Device.From([2f, -1]), variance = Device.From([3f, 0.5f]),
            runningMean = Device.From([1f, 0]), runningVariance = Device.From([1f, 4]);

        BatchNorm.UpdateRunning(mean, variance, runningMean, runningVariance, 4);

        Assert.That(Device.ToFloats(runningMean), Is.EqualTo(new[] { 1.1f, -0.1f }).Within(1e-6f));
        // 3 and 0.5 over 4 rows are 4 and 2/3 over 3.
        Assert.That(Device.ToFloats(runningVariance), Is.EqualTo(new[] { 1.3f, 3.6f + 0.2f / 3 }).Within(1e-6f));
        Free(mean, variance, runningMean, runningVariance);
    }

    [Test]
    public void BothWays_AreTheFormula([ValueSource(nameof(Sizes))] (int Rows, int Channels) size,
        [Values] bool batchStatistics, [Values] bool relu, [Values] bool residual, [Values] bool accumulate)
    {
        (int rows, int channels) = size;
        float[] x = Shifted(rows, channels, 1), added = Random(x.Length, 2), dy = Random(x.Length, 3),
            before = Random(x.Length, 4), gamma = Random(channels, 5), beta = Random(channels, 6),
            mean = Random(channels, 7), variance = [.. Random(channels, 8).Select(value => 1.5f + value)];
        if (batchStatistics)
        {
            (double[] means, double[] variances) = Moments(x, channels);
            mean = [.. means.Select(value => (float)value)];
            variance = [.. variances.Select(value => (float)value)];
        }
        DeviceArray ax = Device.From(x), aadded = residual ? Device.From(added) : default,
            ay = Device.Allocate(x.Length), ady = Device.From(dy), adx = Device.From(before),
            adg = Device.From(before.AsSpan(0, channels)), adb = Device.From(before.AsSpan(0, channels)),
            ag = Device.From(gamma), ab = Device.From(beta),
            am = Device.From(mean), av = Device.From(variance);
        var parameters = new BatchNorm.Parameters(ag, ab, am, av);

        BatchNorm.Forward(ax, parameters, aadded, ay, relu);
        float[] y = Device.ToFloats(ay);
        BatchNorm.Backward(ax, parameters, ady, relu && residual ? ay : default, new BatchNorm.Gradients(
            new GradientTarget(adx, accumulate), new GradientTarget(adg, accumulate),
            new GradientTarget(adb, accumulate)), batchStatistics, relu);

        // The result under test says which sums the ReLU let pass.
        double[] wide = Doubles.Of(x), expectedY = new double[x.Length],
            g = relu ? BatchNormReference.PassRelu(Doubles.Of(dy), Doubles.Of(y)) : Doubles.Of(dy),
            dx = Doubles.Before(before, accumulate), dgamma = Doubles.Before(before[..channels], accumulate),
            dbeta = Doubles.Before(before[..channels], accumulate);
        var numbers = new BatchNormReference.Parameters(Doubles.Of(gamma), Doubles.Of(beta), Doubles.Of(mean),
            Doubles.Of(variance));
        BatchNormReference.Forward(wide, numbers, residual ? Doubles.Of(added) : null, expectedY, relu);
        BatchNormReference.Backward(wide, numbers, g, dx, dgamma, dbeta, batchStatistics);
        // gamma * rstd is at most 1 / sqrt(0.5) for running statistics, and 3 for those of two rows or more here. x -
        // mean is at most 12, and so is what it multiplies in n; the running means are as far from x as its shift.
        double bound = 12 * 3 * Bound(4), sums = 12 * 3 * Bound(rows) * Math.Sqrt(rows);
        AssertClose(y, expectedY, bound, "y");
        AssertClose(Device.ToFloats(adb), dbeta, sums, "dbeta");
        AssertClose(Device.ToFloats(adg), dgamma, sums, "dgamma");
        AssertClose(Device.ToFloats(adx), dx, 3 * bound + sums / rows, "dx");
        if (relu && residual)
            AssertClose(Device.ToFloats(ady), g, 0, "gradient by the residual");
        else
            Assert.That(Device.ToFloats(ady), Is.EqualTo(dy), "dy must stay");
        Free(ax, aadded, ay, ady, adx, adg, adb, ag, ab, am, av);
    }

    [Test]
    public void OfSeveralRanks_TheBatchIsAllRows()
    {
        const int Channels = 19;
        int[] rows = [5, 1, 300];
        int all = rows.Sum();
        float[] x = Shifted(all, Channels, 1), dy = Random(x.Length, 2), gamma = Random(Channels, 3);
        (float[] Mean, float[] Variance, float[] Dx, float[] Dgamma, long Rows) whole = Both(Device, x, dy, gamma);

        var parts = ThreadRanks.Run(rows.Length, ranks =>
        {
            using var device = new CpuDevice(threads: 1, Device.Level) { Ranks = ranks };
            int first = Channels * rows.Take(ranks.Rank).Sum(), count = Channels * rows[ranks.Rank];
            return Both(device, x[first..(first + count)], dy[first..(first + count)], gamma);
        });

        double bound = 12 * 3 * Bound(4), sums = 12 * 3 * Bound(all) * Math.Sqrt(all);
        Assert.That(parts.Select(part => part.Rows), Is.All.EqualTo(all));
        foreach (var part in parts)
        {
            AssertClose(part.Mean, Doubles.Of(whole.Mean), 10 * Bound(all), "mean");
            AssertClose(part.Variance, Doubles.Of(whole.Variance), 10 * Bound(all), "variance");
            Assert.That(part.Mean, Is.EqualTo(parts[0].Mean), "every rank has the same bits");
        }
        AssertClose([.. parts.SelectMany(part => part.Dx)], Doubles.Of(whole.Dx), 3 * bound + sums / all, "dx");
        AssertClose([.. Enumerable.Range(0, Channels).Select(c => parts.Sum(part => part.Dgamma[c]))],
            Doubles.Of(whole.Dgamma), sums, "the ranks' gradients by gamma add up");

        static (float[] Mean, float[] Variance, float[] Dx, float[] Dgamma, long Rows) Both(CpuDevice device, float[] x,
            float[] dy, float[] gamma)
        {
            DeviceArray ax = device.From(x), ady = device.From(dy), ag = device.From(gamma),
                mean = device.Allocate(Channels), variance = device.Allocate(Channels), dx = device.Allocate(x.Length),
                dgamma = device.Allocate(Channels), dbeta = device.Allocate(Channels);
            long rows = BatchNorm.Statistics(ax, mean, variance);
            BatchNorm.Backward(ax, new BatchNorm.Parameters(ag, ag, mean, variance), ady, default,
                new(dx, dgamma, dbeta), batchStatistics: true, relu: false);
            var results = (device.ToFloats(mean), device.ToFloats(variance), device.ToFloats(dx),
                device.ToFloats(dgamma), rows);
            foreach (DeviceArray array in new[] { ax, ady, ag, mean, variance, dx, dgamma, dbeta })
                device.Free(array);
            return results;
        }
    }

    [Test]
    public void ANaNStaysInItsChannel()
    {
        const int Rows = 20, Channels = 18;
        float[] x = Random(Rows * Channels, 1), ones = [.. Enumerable.Repeat(1f, Channels)];
        x[3 * Channels + 5] = float.NaN;
        x[9 * Channels + 17] = float.PositiveInfinity;
        DeviceArray ax = Device.From(x), ag = Device.From(ones), am = Device.Allocate(Channels),
            av = Device.Allocate(Channels), ay = Device.Allocate(x.Length);

        BatchNorm.Statistics(ax, am, av);
        BatchNorm.Forward(ax, new BatchNorm.Parameters(ag, ag, am, av), default, ay, relu: true);

        float[] y = Device.ToFloats(ay);
        for (int i = 0; i < y.Length; i++)
            Assert.That(float.IsNaN(y[i]), Is.EqualTo(i % Channels is 5 or 17), $"y[{i}]");
        Free(ax, ag, am, av, ay);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        const int Rows = 4001, Channels = 24;
        DeviceArray x = device.From(Random(Rows * Channels, 1)), dy = device.From(Random(Rows * Channels, 2)),
            gamma = device.From(Random(Channels, 3)), mean = device.Allocate(Channels),
            variance = device.Allocate(Channels), y = device.Allocate(x.Length), dx = device.Allocate(x.Length),
            dgamma = device.Allocate(Channels), dbeta = device.Allocate(Channels);
        var parameters = new BatchNorm.Parameters(gamma, gamma, mean, variance);
        BatchNorm.Statistics(x, mean, variance);
        BatchNorm.Forward(x, parameters, default, y, relu: true);
        BatchNorm.Backward(x, parameters, dy, default, new(dx, dgamma, dbeta), batchStatistics: true, relu: true);
        return [mean, variance, y, dx, dgamma, dbeta];
    });

    [Test]
    public void WhatDoesNotFitIsNamed()
    {
        DeviceArray x = Device.Allocate(12), four = Device.Allocate(4), five = Device.Allocate(5);
        Assert.That(() => BatchNorm.Statistics(x, five, five),
            Throws.ArgumentException.With.Message.Contains("x has 12 elements, expected rows of 5 channels"));
        Assert.That(() => BatchNorm.Forward(x, new(four, five, four, four), default, x, relu: false),
            Throws.ArgumentException.With.Message.Contains("beta has 5 elements, expected 4"));
        Assert.That(() => BatchNorm.UpdateRunning(four, four, four, four, 1),
            Throws.InstanceOf<ArgumentOutOfRangeException>().With.Message.Contains("at least two rows"));
        Free(x, four, five);
    }

    // Sums of `terms` numbers of about 1 in fp32: unit roundoff 2^-24, random-walk growth sqrt(terms), times 4.
    private static double Bound(int terms) => 4 * Math.Pow(2, -24) * (4 + Math.Sqrt(terms));

    // Uniform numbers in [-1, 1) about a mean of the channel in [-10, 10).
    private static float[] Shifted(int rows, int channels, int seed)
    {
        float[] means = Random(channels, seed + 100), values = Random((long)rows * channels, seed);
        return [.. values.Select((value, i) => value + 10 * means[i % channels])];
    }

    private static (double[] Mean, double[] Variance) Moments(float[] x, int channels)
    {
        double[] mean = new double[channels], variance = new double[channels];
        BatchNormReference.Statistics(Doubles.Of(x), mean, variance);
        return (mean, variance);
    }
}
