using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests;

/// <summary>
/// Base of the operation tests: every fixture runs once for each instruction set this processor has, and each test ends
/// by checking that nothing is left allocated.
/// </summary>
[TestFixtureSource(typeof(HostDevices), nameof(Levels))]
public abstract class HostDevices(SimdLevel level)
{
    public static IEnumerable<SimdLevel> Levels => SimdLevels.Available;

    protected CpuDevice Device { get; private set; } = null!;

    [SetUp]
    public void CreateDevice() => Device = new CpuDevice(threads: 2, level);

    [TearDown]
    public void NothingIsLeft()
    {
        int left = Device.LiveArrays;
        Device.Dispose();
        Assert.That(left, Is.Zero, "arrays left allocated");
    }

    protected void Free(params ReadOnlySpan<DeviceArray> arrays)
    {
        foreach (DeviceArray array in arrays)
            Device.Free(array);
    }

    /// <summary>
    /// Asserts that 1, 2 and 3 threads leave the same bits in the fp32 arrays that <paramref name="compute"/> returns.
    /// </summary>
    protected void AssertSameBits(Func<CpuDevice, DeviceArray[]> compute)
    {
        float[][][] results = [.. new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = new CpuDevice(threads, Device.Level);
            return compute(device).Select(device.ToFloats).ToArray();
        })];
        Assert.That(results[1], Is.EqualTo(results[0]), "2 threads");
        Assert.That(results[2], Is.EqualTo(results[0]), "3 threads");
    }

    /// <summary>Uniform in [-1, 1), the same for the same seed.</summary>
    protected static float[] Random(long count, int seed)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() * 2 - 1;
        return values;
    }

    /// <summary>
    /// Asserts |actual - expected| at most <paramref name="bound"/> everywhere; NaN only where NaN is expected.
    /// </summary>
    protected static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected, double bound,
        string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            if (double.IsNaN(expected[i]) ? float.IsNaN(actual[i]) : Math.Abs(actual[i] - expected[i]) <= bound)
                continue;
            Assert.Fail($"{what}[{i}] is {actual[i]}, expected {expected[i]} within {bound:E1}");
        }
    }
}
