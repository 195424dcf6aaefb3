using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class SgdUpdateTests(SimdLevel level) : HostDevices(level)
{
    private const float Momentum = 0.9f, Rate = 0.01f, Decay = 0.05f;

    [Test]
    public void Step_ManyTensors_FollowTheFormula([Values(1f, 0.25f)] float scale)
    {
        int[] lengths = [1, 7, 0, 16, 67, 16385];
        double[][] p = [.. lengths.Select((length, i) => Doubles.Of(Random(length, i)))],
            v = [.. lengths.Select(length => new double[length])];
        DeviceArray factor = Device.From([scale]);
        DeviceArray[] ap = [.. lengths.Select((length, i) => Device.From(Random(length, i)))],
            av = [.. lengths.Select(length => Device.From(new float[length]))];

        for (int step = 1; step <= 4; step++)
        {
            float[][] gradients = [.. lengths.Select((length, i) => Random(length, 100 * step + i))];
            DeviceArray[] ag = [.. gradients.Select(values => Device.From(values))];
            SgdUpdate.Step([.. lengths.Select((_, i) => new SgdUpdate.Slot(ap[i], ag[i], av[i], Rate, Decay))],
                Momentum, factor);
            for (int i = 0; i < lengths.Length; i++)
                SgdUpdateReference.Step(p[i], Doubles.Of(gradients[i]), v[i], new(Momentum, Rate, Decay), scale);
            Free(ag);
        }

        // The velocity is below 4 and rounds at most four times a step, each of which later steps carry on at 0.9; p,
        // below 2, rounds once a step and takes on the velocity's error times the rate.
        double u = Math.Pow(2, -24), ofVelocity = 4 * 4 * 4 * u;
        for (int i = 0; i < lengths.Length; i++)
        {
            AssertClose(Device.ToFloats(av[i]), v[i], ofVelocity, $"v of {lengths[i]}");
            AssertClose(Device.ToFloats(ap[i]), p[i], 4 * (2 * u + Rate * ofVelocity), $"p of {lengths[i]}");
        }
        Free([.. ap, .. av, factor]);
    }

    [Test]
    public void Step_FactorOfZero_WritesNothing()
    {
        DeviceArray p = Device.From(Random(20, 1)), v = Device.From(Random(20, 2)),
            gradient = Device.From([.. Enumerable.Repeat(float.NaN, 20)]), factor = Device.From([0f]);

        SgdUpdate.Step([new(p, gradient, v, Rate, Decay)], Momentum, factor);

        Assert.That(Device.ToFloats(p), Is.EqualTo(Random(20, 1)));
        Assert.That(Device.ToFloats(v), Is.EqualTo(Random(20, 2)));
        Free(p, v, gradient, factor);
    }

    [Test]
    public void Step_NaN_StaysInItsElement()
    {
        float[] gradient = Random(40, 1);
        gradient[17] = float.NaN;
        DeviceArray p = Device.From(Random(40, 2)), g = Device.From(gradient), v = Device.From(new float[40]);

        SgdUpdate.Step([new(p, g, v, Rate, 0)], Momentum);

        Assert.That(Device.ToFloats(p).Select((value, i) => float.IsNaN(value) == (i == 17)), Has.All.True);
        Free(p, g, v);
    }

    [Test]
    public void Step_Threads_DoNotChangeABit() => AssertSameBits(device =>
    {
        DeviceArray p = device.From(Random(100_003, 1)), g = device.From(Random(100_003, 2)),
            v = device.From(Random(100_003, 3));
        SgdUpdate.Step([new(p, g, v, Rate, Decay)], Momentum);
        return [p, v];
    });

    [Test]
    public void Step_WrongLength_IsNamed()
    {
        DeviceArray p = Device.From(Random(4, 1)), g = Device.From(Random(5, 1));
        Assert.That(() => SgdUpdate.Step([new(p, g, p, Rate, 0)], Momentum),
            Throws.ArgumentException.With.Message.Contains("gradient 0 has 5 elements, expected 4"));
        Free(p, g);
    }
}
