using Cliper.Kernels.Operations;

namespace Cliper.Kernels.Tests.Operations;

public sealed class EraseTests
{
    [Test]
    public void ClearsTheBoxInEveryChannelAndNothingElse()
    {
        float[] y = [.. Enumerable.Repeat(1f, 3 * 5 * 7)];
        Erase.Forward(y, 7, 5, new PixelBox(2, 1, 3, 4));
        for (int i = 0; i < y.Length; i++)
        {
            int column = i % 7, row = i / 7 % 5;
            Assert.That(y[i], Is.EqualTo(column is >= 2 and < 5 && row >= 1 ? 0f : 1f), $"column {column} row {row}");
        }
    }

    [Test]
    public void ABoxOutsideIsNamed() =>
        Assert.That(() => Erase.Forward(new float[35], 7, 5, new PixelBox(5, 0, 3, 1)),
        Throws.ArgumentException.With.Message.Contains("box"));
}
