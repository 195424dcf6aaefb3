namespace Cliper.Autograd.Tests.Operations;

public sealed class PatchEmbeddingTests : TapeTests
{
    [Test]
    public void GradientsMatchFiniteDifferences([Values(1, 2)] int images, [Values(1, 3)] int channels)
    {
        Tensor x = Random([images, channels, 4, 6], 1), weight = Random([5, channels, 2, 2], 2);
        AssertGradients(tape => tape.PatchEmbedding(x, weight), x, weight);
        AssertGradients(tape => tape.Add(tape.PatchEmbedding(x, weight), tape.PatchEmbedding(x, weight)), x, weight);
    }

    [Test]
    public void GradientsOfUnfoldedPatchesMatchFiniteDifferences()
    {
        Tensor x = Random([2, 6, 12], 1), weight = Random([5, 3, 2, 2], 2);
        AssertGradients(tape => tape.PatchEmbedding(x, weight), x, weight);
    }

    [Test]
    public void PlanesBecomePixels([Values(1, 3, 4)] int channels)
    {
        const int Images = 3, Height = 2, Width = 5;
        Tensor x = Random([Images, channels, Height, Width], 1);
        using var tape = new Tape(Device);
        Tensor y = tape.ToPixels(x);
        Assert.That(y.Shape, Is.EqualTo(new Shape(Images, Height, Width, channels)));
        float[] planes = x.ToArray(), pixels = y.ToArray();
        for (int i = 0; i < pixels.Length; i++)
            Assert.That(pixels[i], Is.EqualTo(
                planes[(i / (Height * Width * channels) * channels + i % channels) * Height * Width
                    + i / channels % (Height * Width)]));
        x.RequiresGrad = true;
        Assert.That(() => tape.ToPixels(x), Throws.ArgumentException.With.Message.Contains("without a gradient"));
    }

    [Test]
    public void SizesThatDoNotFitAreNamed()
    {
        Tensor x = Random([1, 3, 4, 6], 1), wrongChannels = Random([5, 1, 2, 2], 2),
            wrongPatch = Random([5, 3, 4, 4], 2);
        Tensor unfolded = Random([1, 6, 11], 3);
        using var tape = new Tape(Device);
        Assert.That(() => tape.PatchEmbedding(x, wrongChannels),
            Throws.ArgumentException.With.Message.Contains("[1, 3, 4, 6]"));
        Assert.That(() => tape.PatchEmbedding(unfolded, wrongPatch),
            Throws.ArgumentException.With.Message.Contains("[1, 6, 11]"));
        Assert.That(() => tape.PatchEmbedding(x, wrongPatch),
            Throws.ArgumentException.With.Message.Contains("4 x 6 pixels do not divide into patches of 4"));
    }
}
