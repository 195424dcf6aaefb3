using Cliper.Model.Images;
using SkiaSharp;

namespace Cliper.Model.Tests.Data;

public sealed class ImageCodecTests
{
    private static readonly SkiaImageCodec Codec = SkiaImageCodec.Instance;

    [Test]
    public void PngKeepsEveryByteAndJpegNearlyAll()
    {
        RgbImage image = TestImages.Make(1);
        RgbImage png = Codec.Decode(Codec.Encode(image, ImageFormat.Png), "a.png");
        RgbImage gray = TestImages.Make(1, gray: true), jpeg = Codec.Decode(Codec.Encode(gray, ImageFormat.Jpeg, 95),
            "a.jpg");

        Assert.That(png.Pixels, Is.EqualTo(image.Pixels));
        Assert.That((jpeg.Width, jpeg.Height), Is.EqualTo((20, 16)));
        // Luma steps at quality 95 are 2 to 12: half of a middling one. Gray, because chroma is kept at half the size
        // only.
        Assert.That(jpeg.Pixels.Zip(gray.Pixels, (a, b) => Math.Abs(a - b)).Average(), Is.LessThan(3));
    }

    [Test]
    public void GrayFilesBecomeThreeEqualChannels([Values(SKEncodedImageFormat.Jpeg,
        SKEncodedImageFormat.Png)] SKEncodedImageFormat format)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(7, 5, SKColorType.Gray8, SKAlphaType.Opaque));
        bitmap.GetPixelSpan().Fill(77);
        using SKData data = bitmap.Encode(format, 100);

        Assert.That(Codec.Decode(data.AsSpan(), "gray").Pixels, Has.All.EqualTo(77));
    }

    [Test]
    public void WebPIsRead()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(8, 8, SKColorType.Rgba8888, SKAlphaType.Opaque));
        bitmap.Erase(new SKColor(200, 100, 50));
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Webp, 100);
        RgbImage image = Codec.Decode(data.AsSpan(), "a.webp");
        Assert.That(image.Pixels[0], Is.EqualTo(200).Within(4));
    }

    [Test]
    public void BmpIsRead()
    {
        // 2 x 1 pixels of 24 bits, blue first: red and blue.
        byte[] bmp = [0x42, 0x4D, 62, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 24,
            0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0];
        Assert.That(Codec.Decode(bmp, "a.bmp").Pixels, Is.EqualTo(new byte[] { 255, 0, 0, 0, 0, 255 }));
    }

    [Test]
    public void TransparencyIsDroppedAndColorKept()
    {
        using var bitmap = new SKBitmap(new SKImageInfo(3, 3, SKColorType.Rgba8888, SKAlphaType.Unpremul));
        bitmap.Erase(new SKColor(200, 100, 50, 128));
        using SKData data = bitmap.Encode(SKEncodedImageFormat.Png, 100);
        Assert.That(Codec.Decode(data.AsSpan(), "a.png").Pixels[..3], Is.EqualTo(new byte[] { 200, 100, 50 }));
    }

    // The corner that a viewer shows at the upper left, by the EXIF standard: 1 stored upper left, 3 lower right, 6
    // lower left, 8 upper right, …
    [TestCase(1, 0, 0)]
    [TestCase(2, 1, 0)]
    [TestCase(3, 1, 1)]
    [TestCase(4, 0, 1)]
    [TestCase(5, 0, 0)]
    [TestCase(6, 0, 1)]
    [TestCase(7, 1, 1)]
    [TestCase(8, 1, 0)]
    public void ExifOrientationIsApplied(byte orientation, int right, int below)
    {
        // Quarters of four brightnesses, 32 x 16.
        byte[] values = [10, 90, 170, 250], pixels = new byte[3 * 32 * 16];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = values[(i / 3 % 32 >= 16 ? 1 : 0) + (i / 96 >= 8 ? 2 : 0)];
        byte[] jpeg = Codec.Encode(new RgbImage(32, 16, pixels), ImageFormat.Jpeg, 100);
        byte[] exif = [0xFF, 0xE1, 0, 34, .. "Exif"u8, 0, 0, .. "II"u8, 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0,
            0, orientation, 0, 0, 0, 0, 0, 0, 0];

        RgbImage image = Codec.Decode([.. jpeg[..2], .. exif, .. jpeg[2..]], "a.jpg");

        Assert.That((image.Width, image.Height), Is.EqualTo(orientation >= 5 ? (16, 32) : (32, 16)));
        Assert.That(image.Pixels[0], Is.EqualTo(values[right + 2 * below]).Within(6));
    }

    [Test]
    public void DamageIsNamed()
    {
        byte[] png = Codec.Encode(TestImages.Make(1), ImageFormat.Png),
            jpeg = Codec.Encode(TestImages.Make(1, 200, 200), ImageFormat.Jpeg);
        Assert.That(() => Codec.Decode([], "x/a.png"),
            Throws.TypeOf<InputException>().With.Message.Contains("x/a.png").And.Message.Contains("empty"));
        Assert.That(() => Codec.Decode("no picture"u8, "b.png"),
            Throws.TypeOf<InputException>().With.Message.Contains("b.png"));
        Assert.That(() => Codec.Decode(png.AsSpan(0, png.Length / 2), "c.png"),
            Throws.TypeOf<InputException>().With.Message.Contains("c.png"));
        Assert.That(() => Codec.Decode(jpeg.AsSpan(0, jpeg.Length / 2), "d.jpg"),
            Throws.TypeOf<InputException>().With.Message.Contains("truncated"));
    }

    [Test]
    public void DamagedBytesNeverCrash()
    {
        byte[][] whole = [Codec.Encode(TestImages.Make(1), ImageFormat.Png),
            Codec.Encode(TestImages.Make(1), ImageFormat.Jpeg)];
        var random = new Random(1);
        for (int i = 0; i < 2000; i++)
        {
            byte[] bytes = [.. whole[i % 2]];
            for (int change = random.Next(1, 6); change > 0; change--)
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            try
            {
                Codec.Decode(bytes.AsSpan(0, random.Next(bytes.Length / 2, bytes.Length)), "fuzz");
            }
            catch (InputException)
            {
                // The one permitted end.
            }
        }
    }
}
