using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class AddClassTokenTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void PutsTheClassInFront([Values(1, 3)] int samples, [Values(1, 4)] int patches, [Values(1, 19, 64)] int width,
        [Values] bool accumulate)
    {
        int tokens = patches + 1;
        float[] x = Random(samples * patches * width, 1), token = Random(width, 2), positions = Random(tokens * width, 3),
            dy = Random(samples * tokens * width, 4), beforeX = Random(x.Length, 5), beforeClass = Random(width, 6),
            beforePositions = Random(positions.Length, 7);
        float[] y = new float[dy.Length], dx = [.. beforeX.Select(value => accumulate ? value : 0)];
        double[] dclass = [.. beforeClass.Select(value => accumulate ? value : 0.0)],
            dpositions = [.. beforePositions.Select(value => accumulate ? value : 0.0)];
        for (int i = 0; i < y.Length; i++)
        {
            int sample = i / (tokens * width), t = i / width % tokens, w = i % width;
            int patch = (sample * patches + t - 1) * width + w;
            y[i] = (t == 0 ? token[w] : x[patch]) + positions[t * width + w];
            dpositions[t * width + w] += dy[i];
            if (t == 0)
                dclass[w] += dy[i];
            else
                dx[patch] += dy[i];
        }
        DeviceArray ax = Device.From(x), ac = Device.From(token), ap = Device.From(positions), ay = Device.Allocate(y.Length),
            ady = Device.From(dy), adx = Device.From(beforeX), adc = Device.From(beforeClass), adp = Device.From(beforePositions);

        AddClassToken.Forward(ax, ac, ap, ay, samples, patches, width);
        AddClassToken.Backward(ady, adx, accumulate, adc, accumulate, adp, accumulate, samples, patches, width);

        Assert.That(Device.ToFloats(ay), Is.EqualTo(y));
        Assert.That(Device.ToFloats(adx), Is.EqualTo(dx));
        AssertClose(Device.ToFloats(adc), dclass, 4 * 4 * Math.Pow(2, -24), "dclass");
        AssertClose(Device.ToFloats(adp), dpositions, 4 * 4 * Math.Pow(2, -24), "dpositions");
        Free(ax, ac, ap, ay, ady, adx, adc, adp);
    }
}
