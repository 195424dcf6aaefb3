namespace Cliper.Autograd.Tests.Operations;

public sealed class GatherTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 19)] int width)
    {
        Tensor table = Random([5, width], 1), rows = Own(Tensor.From(Device, [4, 0, 4, 1, 4, 0], new Shape(2, 3)));
        AssertGradients(tape => tape.Gather(table, rows), table);
    }

    [Test]
    public void TheResultHasTheIndicesShapeAndWidth()
    {
        Tensor table = Random([5, 7], 1), rows = Own(Tensor.From(Device, [4, 0, 4, 1, 4, 0], new Shape(2, 3)));
        using var tape = new Tape(Device);
        Assert.That(tape.Gather(table, rows).Shape, Is.EqualTo(new Shape(2, 3, 7)));
    }
}
