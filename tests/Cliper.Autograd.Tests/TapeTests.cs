using Cliper.Kernels.Cpu;

namespace Cliper.Autograd.Tests;

/// <summary>Base of the gradient tests: a device a test, tensors that end with it, and no leak.</summary>
public abstract class TapeTests
{
    private readonly List<Tensor> _tensors = [];

    protected CpuDevice Device { get; private set; } = null!;

    [SetUp]
    public void CreateDevice() => Device = new CpuDevice(threads: 2);

    [TearDown]
    public void NothingIsLeft()
    {
        foreach (Tensor tensor in _tensors)
            tensor.Dispose();
        _tensors.Clear();
        int left = Device.LiveArrays;
        Device.Dispose();
        Assert.That(left, Is.Zero, "arrays left allocated");
    }

    /// <summary>Uniform in [-1, 1), the same for the same seed; ended after the test.</summary>
    protected Tensor Random(ReadOnlySpan<int> axes, int seed)
    {
        var shape = new Shape(axes);
        var random = new Random(seed);
        var values = new float[shape.Count];
        for (int i = 0; i < values.Length; i++)
            values[i] = random.NextSingle() * 2 - 1;
        return Own(Tensor.From(Device, values, shape));
    }

    protected Tensor Own(Tensor tensor)
    {
        _tensors.Add(tensor);
        return tensor;
    }

    /// <summary>
    /// Central differences with h = 1e-2 in fp32: rounding 2^-24 * |f| / h is about 1e-5 * |f|, |f| being a sum of the
    /// outputs; truncation h² f'''/6 about 2e-5 f'''. 5e-3 of the largest entry leaves room for f''' up to a hundred.
    /// </summary>
    protected static void AssertGradients(Func<Tape, Tensor> function, params Tensor[] operands)
    {
        GradientCheck.Worst worst = GradientCheck.Run(function, operands);
        Assert.That(worst.Error, Is.LessThan(5e-3f), worst.ToString());
    }
}
