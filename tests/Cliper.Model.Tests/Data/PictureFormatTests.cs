using System.Buffers.Binary;
using System.IO.Compression;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.IO;
using Cliper.Model.Samples;
using SkiaSharp;

namespace Cliper.Model.Tests.Data;

/// <summary>Pictures made byte by byte, whose right values follow from the formats' standards.</summary>
public sealed class PictureFormatTests
{
    private const byte Gray = 0, Rgb = 2, Palette = 3, GrayAlpha = 4;

    private static readonly ImageCodec Codec = ImageCodec.Instance;

    [Test]
    public void PaletteColorsAreLookedUp()
    {
        // Two pixels of 4 bits: colors 1 and 2 of a palette of three, of which one is transparent.
        byte[] png = Png(2, 1, 4, Palette, [0x12], ("PLTE", [9, 9, 9, 200, 100, 50, 10, 20, 30]), ("tRNS", [255, 0]));
        Assert.That(Codec.Decode(png, "a.png").Pixels, Is.EqualTo(new byte[] { 200, 100, 50, 10, 20, 30 }));
    }

    [Test]
    public void AlphaOfGrayIsDropped() =>
        Assert.That(Codec.Decode(Png(2, 1, 8, GrayAlpha, [77, 0, 200, 128]), "a.png").Pixels,
            Is.EqualTo(new byte[] { 77, 77, 77, 200, 200, 200 }));

    [Test]
    public void OneBitIsBlackOrWhite() => Assert.That(Codec.Decode(Png(2, 1, 1, Gray, [0x40]), "a.png").Pixels,
        Is.EqualTo(new byte[] { 0, 0, 0, 255, 255, 255 }));

    [Test]
    public void SixteenBitsKeepTheirUpperEight()
    {
        byte[] rgb = Png(1, 1, 16, Rgb, [0x12, 0x34, 0x80, 0x00, 0xFE, 0xDC]),
            gray = Png(1, 1, 16, Gray, [0x80, 0x10]);
        // Rounding 0x1234 / 257 and cutting it differ by one at most.
        Assert.That(Codec.Decode(rgb, "a.png").Pixels, Is.EqualTo(new byte[] { 0x12, 0x80, 0xFE }).Within(1));
        Assert.That(Codec.Decode(gray, "a.png").Pixels, Is.EqualTo(new byte[] { 0x80, 0x80, 0x80 }).Within(1));
    }

    [TestCase(40, 200, 80, 20)]
    [TestCase(0, 0, 0, 255)]
    [TestCase(255, 0, 0, 0)]
    public void InksOfPrintBecomeTheLightTheyLeave(int cyan, int magenta, int yellow, int black)
    {
        RgbImage image = Codec.Decode(CmykJpeg(cyan, magenta, yellow, black), "a.jpg");
        int[] expected = [.. new[] { cyan, magenta, yellow }.Select(ink => (255 - ink) * (255 - black) / 255)];
        for (int channel = 0; channel < 3; channel++)
            Assert.That(image.Pixels[channel], Is.EqualTo(expected[channel]).Within(1));
    }

    // The corner that a viewer shows at the upper left, as EXIF counts.
    [Test]
    public void OrientationIsAppliedInEveryFormatThatStatesIt([Values(1, 2, 3, 4, 5, 6, 7, 8)] int orientation,
        [Values("png", "png after the pixels", "webp", "tiff")] string format)
    {
        byte[] values = [10, 90, 170, 250];
        int[] corner = [0, 1, 3, 2, 0, 2, 3, 1];
        var pixels = new byte[3 * 32 * 16];
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = values[(i / 3 % 32 >= 16 ? 1 : 0) + (i / 96 >= 8 ? 2 : 0)];
        byte[] exif = [.. "MM"u8, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0,
            0, 0];
        byte[] encoded = format switch
        {
            "png" => Png(32, 16, 8, Rgb, pixels, ("eXIf", exif)),
            "png after the pixels" => WithChunkAtTheEnd(Png(32, 16, 8, Rgb, pixels), "eXIf", exif),
            "webp" => WebP(pixels, 32, 16, exif),
            _ => Tiff(pixels, 32, 16, orientation),
        };

        RgbImage image = Codec.Decode(encoded, "a");

        Assert.That((image.Width, image.Height), Is.EqualTo(orientation >= 5 ? (16, 32) : (32, 16)));
        Assert.That(image.Pixels[0], Is.EqualTo(values[corner[orientation - 1]]).Within(1));
    }

    [Test]
    public void AHugePictureIsDecodedReducedAndKnowsItsSize()
    {
        byte[] jpeg = Claiming(16384, 12288);
        RgbImage image = Codec.Decode(jpeg, "a.jpg");
        Assert.That((long)image.Width * image.Height, Is.LessThanOrEqualTo(SkiaImageCodec.MostDecoded));
        Assert.That((image.OriginalWidth, image.OriginalHeight), Is.EqualTo((16384, 12288)));
        var box = new PixelBox(8192, 4096, 4096, 2048);
        PixelBox here = image.FromOriginal(box);
        Assert.That((here.X / (double)image.Width, here.Width / (double)image.Width), Is.EqualTo((0.5, 0.25)));
        var face = new Face(here, 1, [new FacePoint(here.X, here.Y)]);
        Assert.That(face.Scaled(image.Reduction).Box, Is.EqualTo(box));
        Assert.That(face.Scaled(image.Reduction).Points[0], Is.EqualTo(new FacePoint(8192, 4096)));
    }

    [Test]
    public void WhatIsNotDecodedSmallerIsReducedByItsMean()
    {
        // A PNG of 8192 x 8192 whose columns are black and white in turn: every mean of two is gray.
        const int Side = 8192;
        var row = new byte[Side / 8];
        Array.Fill(row, (byte)0x55);
        byte[] png = Png(Side, Side, 1, Gray, [.. Enumerable.Repeat(row, Side).SelectMany(bytes => bytes)]);
        RgbImage image = Codec.Decode(png, "a.png");
        Assert.That((image.Width, image.Height, image.OriginalWidth), Is.EqualTo((Side / 2, Side / 2, Side)));
        Assert.That(image.Pixels.Distinct(), Is.EqualTo(new byte[] { 127 }));
    }

    [Test]
    public void ImageSharpsPicturesAreReducedByTheirMeanToo()
    {
        // A bitmap of 5800 x 5800, slightly too many, whose columns are white and black in turn.
        const int Side = 5800;
        var bits = new byte[Side / 8 * Side];
        Array.Fill(bits, (byte)0x55);
        RgbImage image = Codec.Decode([.. "P4 5800 5800\n"u8, .. bits], "a.pbm");
        Assert.That((image.Width, image.Height, image.OriginalWidth, image.OriginalHeight),
            Is.EqualTo((Side / 2, Side / 2, Side, Side)));
        Assert.That(image.Pixels.Distinct(), Is.EqualTo(new byte[] { 127 }));
    }

    [Test]
    public void APictureBeyondTheBudgetIsRefusedAndOthersWait()
    {
        long before = PixelBudget.Limit;
        byte[] png = SkiaImageCodec.Instance.Encode(TestImages.Make(1, 400, 400), ImageFormat.Png);
        try
        {
            // One picture of 400 x 400 takes four bytes a pixel.
            PixelBudget.Limit = 4 * 400 * 400 - 1;
            Assert.That(() => Codec.Decode(png, "large.png"), Throws.TypeOf<InputException>()
                .With.Message.Contains("large.png").And.Property(nameof(InputException.Remedy))
                .EqualTo(Remedy.AllowMemory));
            PixelBudget.Limit++;
            PixelBudget.Lease held = PixelBudget.Take(1, "held");
            Task<RgbImage> waiting = Task.Run(() => Codec.Decode(png, "large.png"));
            Assert.That(waiting.Wait(200), Is.False, "there is no room beside the other");
            held.Dispose();
            Assert.That(waiting.Wait(20_000), Is.True);
        }
        finally
        {
            PixelBudget.Limit = before;
        }
    }

    [Test]
    public void ABoxOfAReducedPictureIsCutWhereItLies()
    {
        var frame = new CutFrame(new GeneratedFrame("half", () => new RgbImage(20, 10, new byte[600])
        {
            OriginalWidth = 40,
            OriginalHeight = 20,
        }), new PixelBox(20, 10, 10, 8));
        RgbImage cut = frame.Load(Codec);
        Assert.That((cut.Width, cut.Height), Is.EqualTo((5, 4)));
    }

    /// <summary>A small JPEG whose header states another size; what is missing is decoded as gray.</summary>
    private static byte[] Claiming(int width, int height)
    {
        byte[] jpeg = SkiaImageCodec.Instance.Encode(TestImages.Make(1, 64, 64), ImageFormat.Jpeg);
        int frame = jpeg.AsSpan().IndexOf((ReadOnlySpan<byte>)[0xFF, 0xC0]);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 5), (ushort)height);
        BinaryPrimitives.WriteUInt16BigEndian(jpeg.AsSpan(frame + 7), (ushort)width);
        return jpeg;
    }

    private static byte[] Png(int width, int height, byte depth, byte kind, byte[] pixels,
        params (string Kind, byte[] Data)[] chunks)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (depth, kind);
        using var packed = new MemoryStream();
        using (var zip = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            for (int y = 0; y < height; y++)
            {
                zip.WriteByte(0);
                zip.Write(pixels, y * (pixels.Length / height), pixels.Length / height);
            }
        return [0x89, .. "PNG\r\n\u001A\n"u8, .. Chunk("IHDR", header),
            .. chunks.SelectMany(chunk => Chunk(chunk.Kind, chunk.Data)), .. Chunk("IDAT", packed.ToArray()),
            .. Chunk("IEND", [])];
    }

    private static byte[] WithChunkAtTheEnd(byte[] png, string kind, byte[] data) =>
        [.. png[..^12], .. Chunk(kind, data), .. png[^12..]];

    private static byte[] Chunk(string kind, byte[] data)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes(kind), .. data];
        var crc = new Crc32();
        crc.Append(body);
        var chunk = new byte[4 + body.Length + 4];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        body.CopyTo(chunk, 4);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(4 + body.Length), crc.Value);
        return chunk;
    }

    /// <summary>A lossless WebP in the extended form, which has EXIF data.</summary>
    private static byte[] WebP(byte[] pixels, int width, int height, byte[] exif)
    {
        using var bitmap = new SKBitmap(new SKImageInfo(width, height, SKColorType.Rgba8888, SKAlphaType.Opaque));
        for (int i = 0; i < width * height; i++)
            bitmap.SetPixel(i % width, i / width, new SKColor(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]));
        using SKPixmap map = bitmap.PeekPixels()!;
        using SKData data = map.Encode(new SKWebpEncoderOptions(SKWebpEncoderCompression.Lossless, 100))!;
        byte[] simple = data.ToArray();
        Assert.That(simple[12..16], Is.EqualTo("VP8L"u8.ToArray()), "the simple form is one chunk");
        byte[] body = [.. "WEBPVP8X"u8, 10, 0, 0, 0, 0x08, 0, 0, 0, (byte)(width - 1), 0, 0, (byte)(height - 1), 0, 0,
            .. simple[12..], .. "EXIF"u8, (byte)exif.Length, 0, 0, 0, .. exif];
        var size = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(size, body.Length);
        return [.. "RIFF"u8, .. size, .. body];
    }

    /// <summary>An uncompressed TIFF in one strip.</summary>
    private static byte[] Tiff(byte[] pixels, int width, int height, int orientation)
    {
        (int Tag, int Kind, int Count, int Value)[] entries =
        [
            (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + 2 + 12 * 10 + 4), (259, 3, 1, 1), (262, 3, 1, 2),
            (273, 4, 1, 8 + 2 + 12 * 10 + 4 + 6), (274, 3, 1, orientation), (277, 3, 1, 3), (278, 3, 1, height),
            (279, 4, 1, pixels.Length),
        ];
        using var file = new MemoryStream();
        using var writer = new BinaryWriter(file);
        writer.Write([(byte)'I', (byte)'I', 42, 0, 8, 0, 0, 0, (byte)entries.Length, 0]);
        foreach ((int tag, int kind, int count, int value) in entries)
        {
            writer.Write((ushort)tag);
            writer.Write((ushort)kind);
            writer.Write(count);
            writer.Write(value);
        }
        writer.Write([0, 0, 0, 0, 8, 0, 8, 0, 8, 0]);
        writer.Write(pixels);
        return file.ToArray();
    }

    /// <summary>
    /// A JPEG of one block of four inks, which Adobe's programs store inverted: of each block only the mean is coded,
    /// by a Huffman table of four bits for its length.
    /// </summary>
    private static byte[] CmykJpeg(params int[] inks)
    {
        string bits = "";
        foreach (int ink in inks)
        {
            int value = 255 - ink - 128, length = value == 0 ? 0 : (int)Math.Log2(Math.Abs(value)) + 1;
            int coded = value < 0 ? value + (1 << length) - 1 : value;
            bits += Convert.ToString(length, 2).PadLeft(4, '0')
                + (length == 0 ? "" : Convert.ToString(coded, 2).PadLeft(length, '0')) + "0";
        }
        bits = bits.PadRight((bits.Length + 7) / 8 * 8, '1');
        IEnumerable<byte> data = Enumerable.Range(0, bits.Length / 8).Select(at =>
            Convert.ToByte(bits.Substring(8 * at, 8), 2)).SelectMany(value => value == 0xFF ? new byte[] { 0xFF, 0 }
            : [value]);
        return
        [
            0xFF, 0xD8, 0xFF, 0xEE, 0, 14, .. "Adobe"u8, 0, 100, 0, 0, 0, 0, 0,
            0xFF, 0xDB, 0, 67, 0, .. Enumerable.Repeat((byte)8, 64),
            0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0, 4, 0x11, 0,
            0xFF, 0xC4, 0, 28, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8,
            0xFF, 0xC4, 0, 20, 0x10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0xFF, 0xDA, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0,
            .. data, 0xFF, 0xD9,
        ];
    }
}
