using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// Pictures of many sizes in one launch, each the reference's to the byte; on the interpreter and on the emulated
/// device.
/// </summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class ResizeTests(bool emulated) : PictureFixture
{
    protected override bool Emulated => emulated;

    private static IEnumerable<Case> Cases(int channels)
    {
        // One pixel, primes, wide and tall; enlarged, reduced (far, and by little), kept along one axis or both.
        (int Width, int Height, int NewWidth, int NewHeight)[] sizes =
            [(1, 1, 1, 1), (1, 1, 7, 5), (2, 31, 13, 1), (7, 5, 16, 16), (16, 16, 16, 16), (67, 3, 16, 3),
            (31, 2, 3, 16), (19, 23, 17, 32), (101, 47, 5, 3)];
        foreach ((int width, int height, int newWidth, int newHeight) in sizes)
            yield return new(width, height, channels, new(0, 0, width, height), newWidth, newHeight,
                new(0, 0, newWidth, newHeight), newWidth % 2 == 1);
        // Enough bytes for weights that are off by one in their last bit: each changes one in some thousand.
        if (channels == 3)
            yield return new(97, 89, 3, new(0, 0, 97, 89), 112, 80, new(0, 0, 112, 80), false);
        yield return new(41, 37, channels, new(3, 5, 20, 21), 16, 16, new(0, 0, 16, 16), true);
        yield return new(41, 37, channels, new(0, 36, 41, 1), 33, 9, new(2, 1, 30, 7), false);
        yield return new(41, 37, channels, new(40, 0, 1, 37), 9, 11, new(8, 10, 1, 1), true);
    }

    [Test]
    public void IsTheFormulaToTheByte([Values] bool bicubic)
    {
        // All of them are too much for the emulated device.
        Case[] cases = [.. emulated ? Cases(3).Where((_, i) => i % 4 == 3) : Cases(1).Concat(Cases(3))];
        byte[][] sources = [.. cases.Select((c, seed) => Noise(c.Width * c.Height * c.Channels, seed))];
        ImageView[] pictures = Pack(cases.Select((c, i) => (sources[i], c.Width, c.Height, c.Channels)));
        ImageView[] targets = Empty(cases.Select(c => (c.Window.Width, c.Window.Height, c.Channels)));
        Resize.Part[] parts = [.. cases.Select((c, i) => new Resize.Part(pictures[i], c.Crop, c.NewWidth, c.NewHeight,
            c.Window, c.Mirror, targets[i]))];

        if (bicubic)
            Resize.Forward<Bicubic>(parts);
        else
            Resize.Forward<Bilinear>(parts);

        for (int i = 0; i < cases.Length; i++)
            Assert.That(Bytes(targets[i]), Is.EqualTo(cases[i].Expected(sources[i], bicubic)), cases[i].ToString());
    }

    private sealed record Case(int Width, int Height, int Channels, PixelBox Crop, int NewWidth, int NewHeight,
        PixelBox Window, bool Mirror)
    {
        public byte[] Expected(byte[] source, bool bicubic)
        {
            byte[] cut = ResizeReference.Cut(source, Width, Channels, Crop), whole = ResizeReference.Forward(cut,
                (Crop.Width, Crop.Height, Channels), NewWidth, NewHeight, bicubic),
                seen = ResizeReference.Cut(whole, NewWidth, Channels, Window);
            return Mirror ? FlipReference.Horizontal(seen, Window.Width, Channels) : seen;
        }
    }
}
