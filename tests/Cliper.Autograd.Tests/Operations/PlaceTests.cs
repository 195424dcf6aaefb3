namespace Cliper.Autograd.Tests.Operations;

public sealed class PlaceTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(0, 1, 3)] int start, [Values(1, 2)] int inserted)
    {
        Tensor x = Random([3, 5, 7], 1), insert = Random([3, inserted, 7], 2);
        AssertGradients(tape => tape.Place(x, insert, Slots(tape, 3, inserted, at => start + at % inserted)), x,
            insert);
    }

    [Test]
    public void GradientsMatchFiniteDifferences_SlotsAtBothEnds()
    {
        Tensor x = Random([2, 4, 3], 1), insert = Random([2, 2, 3], 2);
        AssertGradients(tape => tape.Place(x, insert, Slots(tape, 2, 2, at => at is 1 or 2 ? 0 : 3)), x, insert);
    }

    [Test]
    public void GradientsAddUpWhereATensorIsUsedTwice()
    {
        Tensor x = Random([2, 4, 3], 1), insert = Random([2, 2, 3], 2);
        AssertGradients(tape => tape.Place(tape.Place(tape.Add(x, x), insert, Slots(tape, 2, 2, at => 1 + at % 2)),
            insert, Slots(tape, 2, 2, at => 2 + at % 2)), x, insert);
    }

    private static Tensor Slots(Tape tape, int sequences, int inserted, Func<int, int> slot) =>
        tape.Own(Tensor.From(tape.Device, [.. Enumerable.Range(0, sequences * inserted).Select(slot)],
            new Shape(sequences, inserted)));
}
