using Cliper.Kernels.Devices;
using Cliper.Kernels.Operations;
using Cliper.Kernels.Simd;

namespace Cliper.Kernels.Tests.Operations;

public sealed class MultiplyTests(SimdLevel level) : HostDevices(level)
{
    [Test]
    public void IsTheProductWithItsGradients([Values(1, 17, 64, 16385)] int count, [Values] bool broadcast, [Values] bool accumulate)
    {
        float[] a = Random(count, 1), b = Random(broadcast ? 1 : count, 2), dy = Random(count, 3), beforeA = Random(count, 4),
            beforeB = Random(b.Length, 5);
        double[] y = new double[count], da = new double[count], db = [.. beforeB.Select(value => accumulate ? value : 0.0)];
        for (int i = 0; i < count; i++)
        {
            int other = b.Length == 1 ? 0 : i;
            y[i] = (double)a[i] * b[other];
            da[i] = (double)dy[i] * b[other] + (accumulate ? beforeA[i] : 0);
            db[other] += (double)dy[i] * a[i];
        }
        DeviceArray aa = Device.From(a), ab = Device.From(b), ay = Device.Allocate(count), ady = Device.From(dy),
            ada = Device.From(beforeA), adb = Device.From(beforeB);

        Multiply.Forward(aa, ab, ay);
        Multiply.Backward(aa, ab, ady, ada, accumulate, adb, accumulate);

        double u = Math.Pow(2, -24);
        AssertClose(Device.ToFloats(ay), y, u, "y");
        AssertClose(Device.ToFloats(ada), da, 4 * u, "da");
        // A sum of products: random-walk growth with the root of the count.
        AssertClose(Device.ToFloats(adb), db, 4 * u * (2 + (b.Length == 1 ? Math.Sqrt(count) : 0)), "db");
        Free(aa, ab, ay, ady, ada, adb);
    }
}
