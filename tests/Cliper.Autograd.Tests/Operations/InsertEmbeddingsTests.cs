namespace Cliper.Autograd.Tests.Operations;

public sealed class InsertEmbeddingsTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(0, 1, 3)] int start, [Values(1, 2)] int inserted)
    {
        Tensor x = Random([3, 5, 7], 1), insert = Random([3, inserted, 7], 2);
        AssertGradients(tape => tape.InsertEmbeddings(x, insert, start), x, insert);
    }

    [Test]
    public void GradientsAddUpWhereATensorIsUsedTwice()
    {
        Tensor x = Random([2, 4, 3], 1), insert = Random([2, 2, 3], 2);
        AssertGradients(tape => tape.InsertEmbeddings(tape.InsertEmbeddings(tape.Add(x, x), insert, 1), insert, 2), x,
            insert);
    }
}
