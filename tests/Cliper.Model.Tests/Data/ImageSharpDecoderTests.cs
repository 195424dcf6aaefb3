using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Pbm;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Tga;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Formats.Tiff.Constants;
using SixLabors.ImageSharp.PixelFormats;

namespace Cliper.Model.Tests.Data;

/// <summary>TIFF, TGA and PBM, PGM, PPM, and that they are decoded as the other formats are.</summary>
public sealed class ImageSharpDecoderTests
{
    private static readonly ImageCodec Codec = ImageCodec.Instance;

    private static readonly RgbImage Original = TestImages.Make(1, 40, 30);

    // Every entry of a TIFF directory has 12 bytes.
    private const int EntryBytes = 12;

    [TestCaseSource(nameof(LosslessFiles))]
    public void ALosslessFileIsDecodedToItsPixels(string name, IImageEncoder encoder)
    {
        RgbImage decoded = Codec.Decode(Encode(Original, encoder), name);

        Assert.That((decoded.Width, decoded.Height), Is.EqualTo((40, 30)));
        Assert.That(decoded.Pixels, Is.EqualTo(Original.Pixels));
    }

    [Test]
    public void BothLibrariesDecodeAFileToTheSamePixels([Values("png", "bmp", "gif")] string kind)
    {
        byte[] file = Encode(Original, kind switch
        {
            "png" => new PngEncoder(),
            "bmp" => new BmpEncoder(),
            _ => new GifEncoder()
        });
        using Image<Rgb24> other = Image.Load<Rgb24>(file);
        var expected = new byte[Original.Pixels.Length];
        other.CopyPixelDataTo(MemoryMarshal.Cast<byte, Rgb24>(expected.AsSpan()));

        Assert.That(SkiaImageCodec.Instance.Decode(file, kind).Pixels, Is.EqualTo(expected));
    }

    // Written by hand from Netpbm's description of its formats.
    [TestCase("P3 2 1 255 255 0 0 0 0 255", 255, 0, 0, 0, 0, 255)]
    [TestCase("P3\n# two pixels\n2 1\n255\n1 2 3\n4 5 6\n", 1, 2, 3, 4, 5, 6)]
    [TestCase("P2\n2 1\n255\n7 9", 7, 7, 7, 9, 9, 9)]
    [TestCase("P1\n2 1\n10", 0, 0, 0, 255, 255, 255)]
    [TestCase("P6 2 1 255\nABCDEF", 65, 66, 67, 68, 69, 70)]
    [TestCase("P5 2 1 255\nAB", 65, 65, 65, 66, 66, 66)]
    [TestCase("P4 2 1\n\u0040", 255, 255, 255, 0, 0, 0)]
    public void NetpbmFilesWrittenByHandAreDecoded(string file, params int[] expected) =>
        Assert.That(Codec.Decode(Encoding.Latin1.GetBytes(file), "a.ppm").Pixels, Is.EqualTo(expected));

    [Test]
    public void AGrayTgaWrittenByHandIsDecoded()
    {
        // The origin is the lower left, without bit 5 of the descriptor: the rows come from below.
        byte[] file = [0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 10, 20];

        Assert.That(Codec.Decode(file, "a.TGA").Pixels, Is.EqualTo(new byte[] { 20, 20, 20, 10, 10, 10 }));
        Assert.That(() => Codec.Decode(file, "a.png"), Throws.TypeOf<InputException>(),
            "nothing but its name says TGA");
        byte[] footed = [.. file, 0, 0, 0, 0, 0, 0, 0, 0, .. "TRUEVISION-XFILE.\0"u8];
        Assert.That(Codec.Decode(footed, "a.png").Pixels, Is.EqualTo(new byte[] { 20, 20, 20, 10, 10, 10 }));
    }

    [Test]
    public void AJpegThatIsNamedTgaIsAJpeg() =>
        Assert.That(Codec.Decode(Codec.Encode(Original, ImageFormat.Jpeg), "a.tga").Width, Is.EqualTo(40));

    // Orientation by the numbers of EXIF: 3 is upside down, 6 is to be turned to the right.
    [TestCase(1, 40, 30)]
    [TestCase(3, 40, 30)]
    [TestCase(6, 30, 40)]
    public void ATiffIsTurnedUpright(int orientation, int width, int height)
    {
        byte[] file = ReplaceEntry(Tiff(), 296, 274, (uint)orientation);

        RgbImage image = Codec.Decode(file, "a.tif");

        Assert.That((image.Width, image.Height), Is.EqualTo((width, height)));
        int corner = orientation switch { 1 => 0, 3 => 40 * 30 - 1, _ => 40 * 29 };
        Assert.That(image.Pixels[..3], Is.EqualTo(Original.Pixels[(3 * corner)..(3 * corner + 3)]));
    }

    [Test]
    public void ATiffWhoseDirectoriesFormACircleIsOneImage()
    {
        byte[] file = Tiff();
        int directory = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(4)),
            count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(directory));
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(directory + 2 + EntryBytes * count), directory);

        Assert.That(Codec.Decode(file, "a.tif").Pixels, Is.EqualTo(Original.Pixels));
    }

    [Test]
    public void ATruncatedFileIsOneSentence([ValueSource(nameof(Kinds))] string kind, [Values(60, 900)] int missing)
    {
        // ImageSharp writes a TIFF's pixels before its directory, and after that a few values such as the program's
        // name. It ends plain text with a blank.
        byte[] file = Of(kind);

        Assert.That(() => Codec.Decode(file.AsSpan(0, file.Length - missing), $"x/a.{kind}"),
            Throws.TypeOf<InputException>().With.Message.StartsWith($"x/a.{kind}: ").And.Message.Contains(
            "replace or remove it")
                .And.Message.Not.Contains("\n"));
    }

    [Test]
    public void AHeaderThatPromisesTooMuchIsOneSentenceAndTakesNoMemory()
    {
        byte[] tga = [0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 24, 0, .. new byte[100]];
        byte[] tiff = ReplaceEntry(ReplaceEntry(Tiff(), 256, 256, 60_000), 257, 257, 60_000);
        (string Name, byte[] File)[] hostile =
        [
            ("a.ppm", "P6 60000 60000 255\n"u8.ToArray()), ("b.ppm", "P3 99999999999 1 255\n1"u8.ToArray()),
            ("c.pgm", "P5 9000 9000 255\nab"u8.ToArray()), ("d.pgm", "P5 2 2 70000\nabcd"u8.ToArray()),
            ("e.ppm", "P3 1 1 255 1 2 256"u8.ToArray()), ("f.pbm", "P1 2 2\n1012"u8.ToArray()),
            ("g.ppm", "P6"u8.ToArray()),
            ("h.ppm", "P6 -1 5 255\n"u8.ToArray()), ("i.tga", tga), ("j.tif", tiff), ("k.tif", "II*\0"u8.ToArray()),
            ("l.tif", "MM\0*\0\0\0\u0008\0\u0001"u8.ToArray()),
            ("m.tif", ReplaceEntry(Tiff(), 273, 273, uint.MaxValue)),
            ("n.tif", ReplaceEntry(Tiff(), 296, 324, 8)), ("o.tif", ReplaceEntry(Tiff(), 273, 65000, 0)),
        ];
        foreach ((string name, byte[] file) in hostile)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();

            Assert.That(() => Codec.Decode(file, name),
                Throws.TypeOf<InputException>().With.Message.StartsWith($"{name}: ")
                .And.Message.Not.Contains("\n"), name);

            // The file, its copy, the messages and what an exception takes, but no image.
            Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20), name);
        }
    }

    [Test]
    public void DamagedBytesNeverCrash([ValueSource(nameof(Kinds))] string kind)
    {
        // Two seconds are a thousand times what such an image takes: what takes longer has lost its way.
        const int Patience = 2000;
        byte[] whole = Of(kind);
        string name = $"a.{kind.Split('-')[0]}";
        int decoded = 0, rounds = Fuzzing.Rounds(1000);
        for (int round = 0; round < rounds; round++)
        {
            // The structure of a TIFF stands at its end, that of the others at the beginning.
            byte[] bytes = kind.StartsWith("tif", StringComparison.Ordinal) && round % 2 == 0
                ? [.. whole[..^200], .. Fuzzing.Mutate(whole[^200..], 200, new Random(round))]
                : Fuzzing.Mutate(whole, 40, new Random(round));
            long start = Environment.TickCount64;
            try
            {
                Codec.Decode(bytes, name);
                decoded++;
            }
            catch (InputException failure)
            {
                Assert.That(failure.Message, Does.StartWith($"{name}: ").And.Not.Contains("\n"), $"round {round}");
            }
            Assert.That(Environment.TickCount64 - start, Is.LessThan(Patience), $"milliseconds of round {round}");
        }
        // Changes of pixels alone are none of the structure: some files must come through, or the test tests nothing.
        Assert.That(decoded, Is.InRange(1, rounds - 1));
    }

    [TestCase(".tif", true)]
    [TestCase(".TIFF", true)]
    [TestCase(".tga", true)]
    [TestCase(".pbm", true)]
    [TestCase(".pgm", true)]
    [TestCase(".ppm", true)]
    [TestCase(".jpg", true)]
    [TestCase(".txt", false)]
    public void DataSetsTakeFilesByTheirExtension(string extension, bool expected) =>
        Assert.That(new DataSetOptions().Codec.CanRead(extension), Is.EqualTo(expected));

    private static IEnumerable<string> Kinds => ["tif", "tif-lzw", "tif-deflate", "tga", "tga-rle", "ppm",
        "ppm-plain", "pgm"];

    private static IEnumerable<TestCaseData> LosslessFiles()
    {
        foreach (TiffCompression compression in new[] { TiffCompression.None, TiffCompression.Lzw,
            TiffCompression.Deflate, TiffCompression.PackBits })
            yield return new TestCaseData("a.tif", new TiffEncoder { Compression = compression })
            .SetArgDisplayNames($"tiff {compression}");
        yield return new TestCaseData("a.tif", new TiffEncoder
        {
            Compression = TiffCompression.Lzw,
            HorizontalPredictor = TiffPredictor.Horizontal
        })
            .SetArgDisplayNames("tiff, predicted");
        foreach (TgaCompression compression in Enum.GetValues<TgaCompression>())
            yield return new TestCaseData("a.tga", new TgaEncoder
            {
                Compression = compression,
                BitsPerPixel =
                TgaBitsPerPixel.Pixel24
            })
                .SetArgDisplayNames($"tga {compression}");
        foreach (PbmEncoding encoding in Enum.GetValues<PbmEncoding>())
            yield return new TestCaseData("a.ppm", new PbmEncoder { ColorType = PbmColorType.Rgb, Encoding = encoding })
                .SetArgDisplayNames($"ppm {encoding}");
    }

    private static byte[] Of(string kind) => Encode(Original, kind switch
    {
        "tif" => new TiffEncoder { Compression = TiffCompression.None },
        "tif-lzw" => new TiffEncoder { Compression = TiffCompression.Lzw },
        "tif-deflate" => new TiffEncoder { Compression = TiffCompression.Deflate },
        "tga" => new TgaEncoder { Compression = TgaCompression.None },
        "tga-rle" => new TgaEncoder { Compression = TgaCompression.RunLength },
        "pgm" => new PbmEncoder { ColorType = PbmColorType.Grayscale, Encoding = PbmEncoding.Binary },
        "ppm-plain" => new PbmEncoder { ColorType = PbmColorType.Rgb, Encoding = PbmEncoding.Plain },
        _ => new PbmEncoder { ColorType = PbmColorType.Rgb, Encoding = PbmEncoding.Binary },
    });

    private static byte[] Tiff() => Of("tif");

    private static byte[] Encode(RgbImage image, IImageEncoder encoder)
    {
        using Image<Rgb24> source = Image.LoadPixelData<Rgb24>(image.Pixels, image.Width, image.Height);
        using var stream = new MemoryStream();
        source.Save(stream, encoder);
        return stream.ToArray();
    }

    /// <summary>A TIFF in which the entry of one tag has become another's, a number of 32 bits.</summary>
    private static byte[] ReplaceEntry(byte[] tiff, int tag, int newTag, uint value)
    {
        const int Long = 4;
        byte[] file = [.. tiff];
        int directory = BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(4)),
            count = BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(directory));
        for (int at = directory + 2; at < directory + 2 + EntryBytes * count; at += EntryBytes)
        {
            if (BinaryPrimitives.ReadUInt16LittleEndian(file.AsSpan(at)) != tag)
                continue;
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), (ushort)newTag);
            BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at + 2), Long);
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at + 4), 1);
            BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(at + 8), value);
            return file;
        }
        throw new InvalidOperationException($"the TIFF has no tag {tag}");
    }
}
