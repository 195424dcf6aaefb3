using Cliper.Kernels;
using Cliper.Kernels.Gpu.Runtime;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using PtxInterpreter;

namespace Cliper.Gpu.Tests;

/// <summary>
/// Base of the tests that run kernels: on a device made of the interpreter, on the emulated one, or on a card, see
/// <see cref="Card"/>. Each test ends by checking that nothing is left and that it launched no kernel which the
/// catalog, and with it the proofs of the texts, does not know.
/// </summary>
/// <param name="stored">The 16-bit format of activations.</param>
[Category("Cuda")]
public abstract class GpuFixture(ElementType stored = ElementType.Float16)
{
    /// <summary>The 16-bit format of activations.</summary>
    protected ElementType Stored { get; } = stored;

    /// <summary>Unit roundoff of fp32.</summary>
    protected const double U32 = 1.0 / (1 << 24);

    /// <summary>Unit roundoff of the 16-bit format: fp16 has 11 bits of precision, bf16 8.</summary>
    protected double U16 { get; } = stored == ElementType.Float16 ? 1.0 / (1 << 11) : 1.0 / (1 << 8);

    /// <summary>
    /// Half the distance of the format's subnormal numbers, 2^-24 and 2^-133: the least error of a rounding.
    /// </summary>
    protected double Tiny { get; } = stored == ElementType.Float16 ? Math.Pow(2, -25) : Math.Pow(2, -134);

    private static readonly HashSet<string> Known = [.. KernelRegistry.All.Select(kernel => kernel.Name)];

    private int _before;

    private protected GpuDevice Device { get; private set; } = null!;

    [SetUp]
    public void MakeDevice()
    {
        if (Card.IsAskedFor && (Emulated || !UsesTensorCores || UsesWgmma))
            Assert.Ignore("a card uses what it has");
        Device = Card.IsAskedFor ? Card.Take(Stored)
            : Emulated ? new EmulatedDevice(Stored)
            : new InterpretedDevice(Stored) { TensorCores = UsesTensorCores, Hopper = UsesWgmma };
        Device.Launched.Clear();
        _before = Device.LiveArrays;
    }

    [TearDown]
    public void NothingIsLeftAndAllIsKnown()
    {
        if (Device is null)
            return;
        int left = Device.LiveArrays - _before;
        string[] unknown = [.. Device.Launched.Select(kernel => kernel.Name).Where(name => !Known.Contains(name))];
        if (Card.IsAskedFor)
            Card.Return();
        else
            Device.Dispose();
        Device = null!;
        if (TestContext.CurrentContext.Result.Outcome.Status == NUnit.Framework.Interfaces.TestStatus.Failed)
            return;
        Assert.That(left, Is.Zero, "arrays left allocated");
        Assert.That(unknown, Is.Empty, "kernels that the catalog lacks");
    }

    protected virtual bool UsesTensorCores => true;

    /// <summary>Whether the interpreter passes for a Hopper card.</summary>
    protected virtual bool UsesWgmma => false;

    /// <summary>Whether the tests run on ILGPU's CPU accelerator.</summary>
    protected virtual bool Emulated => false;

    /// <summary>
    /// Uniform in [-1, 1), the same for the same seed, rounded to the 16-bit format where <paramref name="half"/>.
    /// </summary>
    protected float[] Random(long count, int seed, bool half = true, float scale = 1)
    {
        var random = new Random(seed);
        var values = new float[count];
        for (int i = 0; i < values.Length; i++)
            values[i] = (random.NextSingle() * 2 - 1) * scale;
        return half ? Rounded(values) : values;
    }

    /// <summary>The values, rounded to the 16-bit format.</summary>
    protected float[] Rounded(float[] values) => [.. values.Select(value =>
        Stored == ElementType.Float16 ? (float)(System.Half)value : BFloat16.FromBits(BFloat16.ToBits(value)))];

    /// <summary>An array of the values in the 16-bit format.</summary>
    protected DeviceArray Halves(ReadOnlySpan<float> values) => Device.From(values, Stored);

    protected void Free(params ReadOnlySpan<DeviceArray> arrays)
    {
        foreach (DeviceArray array in arrays)
            Device.Free(array);
    }

    /// <summary>
    /// Asserts |actual - expected| at most the bound of each element; NaN only where NaN is expected.
    /// </summary>
    protected static void AssertClose(ReadOnlySpan<float> actual, ReadOnlySpan<double> expected,
        Func<double, double> bound, string what)
    {
        Assert.That(actual.Length, Is.EqualTo(expected.Length), what);
        for (int i = 0; i < actual.Length; i++)
        {
            if (double.IsNaN(expected[i]) ? float.IsNaN(actual[i]) : Math.Abs(actual[i] - expected[i])
                <= bound(expected[i]))
                continue;
            Assert.Fail($"{what}[{i}] is {actual[i]}, expected {expected[i]} within {bound(expected[i]):E1}");
        }
    }
}
