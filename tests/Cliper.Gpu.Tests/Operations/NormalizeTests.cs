using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;

namespace Cliper.Gpu.Tests.Operations;

/// <summary>
/// A table is looked up on both sides and nothing is computed: patches made of bytes in one pass have the bits of those
/// that are made in three, of normalized planes, erased, unfolded.
/// </summary>
[TestFixture(false, ElementType.Float16)]
[TestFixture(false, ElementType.BFloat16)]
[TestFixture(true, ElementType.Float16)]
public sealed class NormalizeTests(bool emulated, ElementType stored) : PictureFixture(stored)
{
    protected override bool Emulated => emulated;

    // Patches of whole runs of eight pixels, with more than a block's, and others; then pictures that begin where 8
    // bytes cannot be read.
    [TestCase(32, 16, 8, 0)]
    [TestCase(16, 32, 16, 0)]
    [TestCase(48, 48, 48, 0)]
    [TestCase(32, 16, 8, 1)]
    [TestCase(14, 28, 14, 0)]
    [TestCase(12, 8, 4, 0)]
    [TestCase(63, 49, 7, 0)]
    [TestCase(1, 1, 1, 0)]
    public void PatchesHaveTheBitsOfUnfoldedPlanes(int width, int height, int patch, int before)
    {
        (float[] Mean, float[] Deviation) numbers = ([.48f, .46f, .41f], [.27f, .26f, .28f]);
        float[] table = Normalize.Table(numbers.Mean, numbers.Deviation);
        int plane = width * height;
        PixelBox?[] boxes = width == 1
            ? [null, new(0, 0, 1, 1)]
            // None, all, a column, a row, one that begins and ends within runs of pixels and of patches, the last
            // pixel.
            : [null, new(0, 0, width, height), new(width / 2, 0, 1, height), new(0, 1, width, 1),
                new(3, 2, width - 5, height - 4),
                new(width - 1, height - 1, 1, 1)];
        // Both forms of a picture in one batch.
        (byte[] Pixels, int Width, int Height, int Channels)[] sources =
            [.. boxes.SelectMany((_, i) => new[] { 1, 3 }.Select(channels => (Noise(plane * channels, i), width, height,
            channels)))];
        (ImageView Picture, PixelBox? Erased)[] pictures =
            [.. Pack([(Noise(before, 9), before, 1, 1), .. sources])[1..].Select((picture, i) =>
            (picture, boxes[i / 2]))];
        var planes = new float[sources.Length * 3 * plane];
        for (int i = 0; i < sources.Length; i++)
        {
            Span<float> y = planes.AsSpan(3 * plane * i, 3 * plane);
            Normalize.Picture(sources[i].Pixels, sources[i].Channels, table, y);
            if (boxes[i / 2] is { } box)
                Erase.Forward(y, width, height, box);
        }
        DeviceArray expected = Own(Device.Allocate(planes.Length, Stored)),
            actual = Own(Device.Allocate(planes.Length, Stored));
        PatchEmbedding.Unfold(Own(Device.From(planes)), expected, new(sources.Length, 3, height, width, patch, 1));

        Normalize.Forward(pictures, Own(Device.From(table)), actual, patch);

        Assert.That(Bytes(actual).AsSpan().SequenceEqual(Bytes(expected)));
        Assert.That(Device.ToFloats(actual), Is.EqualTo(Rounded([.. sources.SelectMany(
            (source, i) => NormalizeReference.Forward(source.Pixels, (width, height, source.Channels), numbers,
                boxes[i / 2], patch))])));
        Assert.That(Device.ToFloats(actual).Count(value => value != 0), Is.GreaterThan(planes.Length / 3));
    }
}
