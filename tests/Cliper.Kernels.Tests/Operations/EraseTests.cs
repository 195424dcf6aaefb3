using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class EraseTests
{
    [Test]
    public void ClearsTheBoxInEveryChannelAndNothingElse()
    {
        float[] y = [.. Enumerable.Range(1, 3 * 5 * 7)];
        var box = new PixelBox(2, 1, 3, 4);
        float[] expected = EraseReference.Forward(y, 7, 5, box);
        Erase.Forward(y, 7, 5, box);
        Assert.That(y, Is.EqualTo(expected));
        Assert.That(y.Count(value => value == 0), Is.EqualTo(3 * 3 * 4));
    }

    [Test]
    public void ABoxOutsideIsNamed() =>
        Assert.That(() => Erase.Forward(new float[35], 7, 5, new PixelBox(5, 0, 3, 1)),
        Throws.ArgumentException.With.Message.Contains("box"));
}
