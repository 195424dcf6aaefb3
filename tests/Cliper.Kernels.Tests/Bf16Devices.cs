using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;

namespace Cliper.Kernels.Tests;

/// <summary>
/// Base of the tests of bf16 operands on the CPU: every fixture runs once by emitted code, where the CPU has
/// VDPBF16PS, and once emulated at each instruction set. Each test ends by checking that nothing is left allocated.
/// </summary>
[TestFixtureSource(typeof(Bf16Devices), nameof(Kinds))]
public abstract class Bf16Devices(SimdLevel? emulated)
{
    public static IEnumerable<SimdLevel?> Kinds =>
        SimdLevels.Available.Select(level => (SimdLevel?)level).Prepend(null);

    protected CpuDevice Device { get; private set; } = null!;

    protected bool IsEmulated => emulated is not null;

    [SetUp]
    public void CreateDevice() => Device = NewDevice(2);

    [TearDown]
    public void NothingIsLeft()
    {
        int left = Device?.LiveArrays ?? 0;
        Device?.Dispose();
        Assert.That(left, Is.Zero, "arrays left allocated");
    }

    protected CpuDevice NewDevice(int threads)
    {
        if (emulated is { } level)
            return CpuDevice.EmulatingBf16(threads, level);
        if (Bf16Support.Missing is { } missing)
            Assert.Ignore($"no VDPBF16PS here: {missing}");
        return new CpuDevice(threads, operands: ElementType.BFloat16);
    }

    protected void Free(params ReadOnlySpan<DeviceArray> arrays)
    {
        foreach (DeviceArray array in arrays)
            Device.Free(array);
    }

    /// <summary>Uniform in [-1, 1), the same for the same seed.</summary>
    protected static float[] Numbers(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() * 2 - 1)];
    }

    /// <summary>The same numbers rounded to bf16: operands that the device does not round any further.</summary>
    protected static float[] Rounded(float[] values) =>
        [.. values.Select(value => BFloat16.FromBits(BFloat16.ToBits(value)))];

    protected static void AssertClose(float[] actual, double[] expected, double bound, string what = "element")
    {
        for (int i = 0; i < expected.Length; i++)
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(bound), $"{what} {i}");
    }
}
