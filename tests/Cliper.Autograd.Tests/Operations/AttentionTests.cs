namespace Cliper.Autograd.Tests.Operations;

public sealed class AttentionTests : TapeTests
{
    [TestCase(2, 5, 2, 4, false)]
    [TestCase(1, 6, 3, 3, true)]
    [TestCase(2, 1, 2, 5, true)]
    public void SelfAttentionMatchesFiniteDifferences(int samples, int tokens, int heads, int headSize, bool causal)
    {
        Tensor qkv = Random([samples, tokens, 3 * heads * headSize], 1);
        AssertGradients(tape => tape.Attention(qkv, heads, causal), qkv);
    }

    [Test]
    public void CrossAttentionMatchesFiniteDifferences([Values] bool lengths)
    {
        Tensor q = Random([2, 3, 8], 1), kv = Random([2, 7, 16], 2),
            keys = Own(Tensor.From(Device, [4, 7], new Shape(2)));
        AssertGradients(tape => tape.Attention(q, kv, 2, lengths ? keys : null), q, kv);
    }

    [Test]
    public void KeysAndValuesOfTheirOwnMatchFiniteDifferences()
    {
        Tensor q = Random([2, 1, 8], 1), k = Random([2, 5, 8], 2), v = Random([2, 5, 8], 3);
        AssertGradients(tape => tape.Attention(q, k, v, 2), q, k, v);
        // The keys have a gradient already when the values' first comes.
        AssertGradients(tape => tape.Attention(tape.Attention(q, k, v, 2), k, tape.Scale(v, 2), 2), q, k, v);
    }

    [Test]
    public void KeysAndValuesOfTheirOwnAreThoseSideBySide()
    {
        Tensor q = Random([2, 3, 8], 1), k = Random([2, 5, 8], 2), v = Random([2, 5, 8], 3);
        float[] keys = k.ToArray(), values = v.ToArray();
        Tensor kv = Own(Tensor.From(Device, [.. keys.Chunk(8).Zip(values.Chunk(8)).SelectMany(row =>
            row.First.Concat(row.Second))], new Shape(2, 5, 16)));
        using var tape = new Tape(Device);
        Assert.That(tape.Attention(q, k, v, 2).ToArray(), Is.EqualTo(tape.Attention(q, kv, 2).ToArray()));
        Assert.That(() => tape.Attention(q, k, kv, 2), Throws.ArgumentException.With.Message.Contains(
            "k is [2, 5, 8] and v [2, 5, 16], expected both [2, keys, 8]"));
    }

    [Test]
    public void OneSideMayBeFrozen()
    {
        Tensor q = Random([1, 3, 8], 1), kv = Random([1, 5, 16], 2);
        AssertGradients(tape => tape.Attention(q, kv, 2), q);
        q.RequiresGrad = false;
        q.ClearGradient();
        AssertGradients(tape => tape.Attention(q, kv, 2), kv);
        Assert.That(q.HasGradient, Is.False);
    }

    [Test]
    public void GradientsAddUpWhereATensorIsUsedTwice()
    {
        Tensor q = Random([1, 4, 8], 1), kv = Random([1, 5, 16], 2);
        AssertGradients(tape => tape.Attention(tape.Attention(q, kv, 2), kv, 2), q, kv);
    }

    [Test]
    public void AWrongShapeIsNamed()
    {
        Tensor qkv = Random([2, 5, 20], 1), q = Random([2, 5, 8], 2), kv = Random([2, 5, 8], 3);
        using var tape = new Tape(Device);
        Assert.That(() => tape.Attention(qkv, 2, false),
            Throws.ArgumentException.With.Message.Contains("qkv is [2, 5, 20], expected [samples, rows, 3 width]"));
        Assert.That(() => tape.Attention(q, kv, 2),
            Throws.ArgumentException.With.Message.Contains("kv is [2, 5, 8], expected [2, keys, 16]"));
    }

    [Test]
    public void ARefusedKeyLengthLeavesNothingAllocated()
    {
        Tensor q = Random([1, 3, 8], 1), kv = Random([1, 5, 16], 2), keys = Own(Tensor.From(Device, [6], new Shape(1)));
        q.RequiresGrad = true;
        using var tape = new Tape(Device);
        Assert.That(() => tape.Attention(q, kv, 2, keys),
            Throws.ArgumentException.With.Message.Contains("a key length is 6, expected 1 to 5"));
    }
}
