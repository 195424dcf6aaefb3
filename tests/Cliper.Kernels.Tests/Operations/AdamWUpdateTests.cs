using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AdamWUpdateTests(SimdLevel level) : HostDevices(level)
{
    private static readonly AdamWUpdate.Settings Plain = new(0.9, 0.999, 1e-8);

    [Test]
    public void ManyTensorsFollowTheFormula([Values(1e-8, 1e-4)] double epsilon, [Values(1f, 0.25f)] float scale)
    {
        int[] lengths = [1, 7, 0, 16, 0, 0, 67, 16384, 16385, 40000];
        const float Rate = 0.01f, Decay = 0.1f;
        float[][] parameters = [.. lengths.Select((length, i) => Random(length, i))];
        double[][] p = [.. parameters.Select(values => values.Select(value => (double)value).ToArray())];
        double[][] m = [.. lengths.Select(length => new double[length])],
            v = [.. lengths.Select(length => new double[length])];
        DeviceArray factor = Device.From([scale]);
        DeviceArray[] ap = [.. parameters.Select(values => Device.From(values))], am = Zeros(lengths),
            av = Zeros(lengths);

        for (int step = 1; step <= 4; step++)
        {
            float[][] gradients = [.. lengths.Select((length, i) => Random(length, 100 * step + i))];
            DeviceArray[] ag = [.. gradients.Select(values => Device.From(values))];
            // The second tensor joined later and is one step behind.
            AdamWUpdate.Slot[] slots =
                [.. lengths.Select((_, i) => new AdamWUpdate.Slot(ap[i], ag[i], am[i], av[i], step - (i == 1 ? 1 : 0),
                Rate, Decay))];
            AdamWUpdate.Step([.. slots.Where(slot => slot.Step > 0)], new AdamWUpdate.Settings(0.9, 0.999,
                epsilon, factor));
            for (int i = 0; i < lengths.Length; i++)
                if (slots[i].Step > 0)
                    AdamWUpdateReference.Step(new(p[i], Doubles.Of(gradients[i]), m[i], v[i], slots[i].Step),
                        new(0.9, 0.999, epsilon, Rate, Decay), scale);
            Free(ag);
        }

        // Each step rounds p once (2^-24) and moves it by at most about Rate with a few roundings of that; m and v
        // round three times a step.
        double u = Math.Pow(2, -24);
        for (int i = 0; i < lengths.Length; i++)
        {
            AssertClose(Device.ToFloats(ap[i]), p[i], 4 * (2 * u + 20 * u * Rate), $"p of {lengths[i]}");
            AssertClose(Device.ToFloats(am[i]), m[i], 4 * 3 * u, $"m of {lengths[i]}");
            AssertClose(Device.ToFloats(av[i]), v[i], 4 * 3 * u, $"v of {lengths[i]}");
        }
        Free(ap);
        Free(am);
        Free(av);
        Device.Free(factor);
    }

    [Test]
    public void AFactorOfZeroWritesNothing()
    {
        DeviceArray[] arrays = [.. Enumerable.Range(1, 3).Select(seed => Device.From(Random(20, seed)))];
        DeviceArray gradient = Device.From([.. Enumerable.Repeat(float.NaN, 20)]), factor = Device.From([0f]);

        AdamWUpdate.Step([new(arrays[0], gradient, arrays[1], arrays[2], 1, 0.01f, 0.1f)],
            Plain with { GradientScale = factor });

        for (int index = 0; index < arrays.Length; index++)
            Assert.That(Device.ToFloats(arrays[index]), Is.EqualTo(Random(20, index + 1)));
        Free([.. arrays, gradient, factor]);
    }

    [Test]
    public void ThreadsDoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray p = device.From(Random(100_003, 1)), g = device.From(Random(100_003, 2)),
            m = device.From(Random(100_003, 3)),
            v = device.From([.. Random(100_003, 4).Select(MathF.Abs)]);
        AdamWUpdate.Step([new(p, g, m, v, 3, 0.01f, 0.1f)], Plain);
        return [p, m, v];
    });

    [Test]
    public void ANaNStaysInItsElement()
    {
        float[] gradient = Random(40, 1);
        gradient[17] = float.NaN;
        DeviceArray p = Device.From(Random(40, 2)), g = Device.From(gradient);
        DeviceArray[] moments = Zeros([40, 40]);

        AdamWUpdate.Step([new(p, g, moments[0], moments[1], 1, 0.01f, 0)], Plain);

        Assert.That(Device.ToFloats(p).Select((value, i) => float.IsNaN(value) == (i == 17)), Has.All.True);
        Free(p, g);
        Free(moments);
    }

    [Test]
    public void AWrongLengthIsNamed()
    {
        DeviceArray p = Device.From(Random(4, 1)), g = Device.From(Random(5, 1));
        Assert.That(() => AdamWUpdate.Step([new(p, g, p, p, 1, 0.01f, 0)], Plain),
            Throws.ArgumentException.With.Message.Contains("gradient 0 has 5 elements, expected 4"));
        Free(p, g);
    }

    private DeviceArray[] Zeros(int[] lengths) => [.. lengths.Select(length =>
    {
        DeviceArray zeros = Device.Allocate(length);
        Device.Clear(zeros);
        return zeros;
    })];
}
