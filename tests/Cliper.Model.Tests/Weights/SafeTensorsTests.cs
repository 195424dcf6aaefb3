using System.Buffers.Binary;
using System.Text;
using Cliper.Model.IO;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

public sealed class SafeTensorsTests : TemporaryFolder
{
    private const string OneTensor = """{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""";

    /// <summary>A file of the given header and as many bytes of data.</summary>
    private string Make(string header, int dataBytes, ulong? length = null, string name = "x.safetensors")
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        var bytes = new byte[8 + json.Length + dataBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length ?? (ulong)json.Length);
        json.CopyTo(bytes, 8);
        File.WriteAllBytes(In(name), bytes);
        return In(name);
    }

    [TestCase(TensorType.F32)]
    [TestCase(TensorType.F16)]
    [TestCase(TensorType.BF16)]
    public void WhatWasWrittenIsRead(TensorType type)
    {
        // Values that every type holds exactly, one more than fills a vector, and the special ones.
        float[] values = [0, -0f, 1, -2, 0.5f, 1.5f, 96, -0.0078125f, float.PositiveInfinity, float.NegativeInfinity,
            float.NaN, 3, 5, 7, 11, 13, 17];
        var writer = new SafeTensorsWriter { Metadata = { ["b"] = "zwei", ["a"] = "one" } };
        writer.Add("odd", [3], new byte[] { 1, 2, 255 });
        writer.Add("floats", [17, 1], values, type);
        writer.Add("scalar", [], new float[] { 2.5f });
        writer.Add("empty", [0, 4], Array.Empty<float>());
        writer.Add("longs", [2], new[] { long.MinValue, long.MaxValue });
        writer.Add("ints", [1, 2], new[] { int.MinValue, 7 });
        writer.Write(In("x.safetensors"));

        using var file = new SafeTensors(In("x.safetensors"));
        Assert.Multiple(() =>
        {
            Assert.That(file.ReadFloats("floats").Select(BitConverter.SingleToInt32Bits),
                Is.EqualTo(values.Select(BitConverter.SingleToInt32Bits)));
            Assert.That(file.Entry("floats").Shape, Is.EqualTo(new long[] { 17, 1 }));
            Assert.That(file.Entry("floats").Type, Is.EqualTo(type));
            Assert.That(file.ReadFloats("scalar"), Is.EqualTo(new[] { 2.5f }));
            Assert.That(file.Entry("scalar").Shape, Is.Empty);
            Assert.That(file.ReadFloats("empty"), Is.Empty);
            Assert.That(file.ReadIntegers("longs"), Is.EqualTo(new[] { long.MinValue, long.MaxValue }));
            Assert.That(file.ReadIntegers("ints"), Is.EqualTo(new long[] { int.MinValue, 7 }));
            Assert.That(file.ReadIntegers("odd"), Is.EqualTo(new long[] { 1, 2, 255 }));
            Assert.That(file.ReadBytes("odd"), Is.EqualTo(new byte[] { 1, 2, 255 }));
            Assert.That(file.Metadata, Is.EquivalentTo(new Dictionary<string,
                string>
            { ["a"] = "one", ["b"] = "zwei" }));
        });
    }

    [Test]
    public void RoundingIsToNearestEven()
    {
        // Between 1 and the next bfloat16 (1 + 2^-7): just below, at and just above the middle; then a tie that rounds
        // up.
        float[] values = [1.00390613079f, 1.00390625f, 1.00390637f, 1.01171875f, float.MaxValue];
        float[] expected = [1, 1, 1.0078125f, 1.015625f, float.PositiveInfinity];
        var writer = new SafeTensorsWriter();
        writer.Add("x", [5], values, TensorType.BF16);
        writer.Write(In("x"));
        using var file = new SafeTensors(In("x"));
        Assert.That(file.ReadFloats("x"), Is.EqualTo(expected));
    }

    [Test]
    public void ConversionsInChunksMatchOneElementAtATime()
    {
        var random = new Random(1);
        float[] values = [.. Enumerable.Range(0, 70_001).Select(_ => (float)((random.NextDouble() - .5) * 100))];
        var writer = new SafeTensorsWriter();
        writer.Add("h", [70_001], values, TensorType.F16);
        writer.Add("b", [70_001], values, TensorType.BF16);
        writer.Write(In("x"));
        using var file = new SafeTensors(In("x"));
        Assert.That(file.ReadFloats("h"), Is.EqualTo(values.Select(value => (float)(Half)value)));
        Assert.That(file.ReadFloats("b").Zip(values, (got, value) => Math.Abs(got - value) <= Math.Abs(value) / 256),
            Has.All.True);
    }

    [Test]
    public void TheSameContentGivesTheSameBytesWhateverTheOrder()
    {
        byte[] Bytes(bool forward)
        {
            var writer = new SafeTensorsWriter();
            foreach (string name in forward ? ["a", "b", "c"] : new[] { "c", "b", "a" })
                writer.Add(name, [1], new float[] { name[0] }, name == "a" ? TensorType.F16 : TensorType.F32);
            writer.Metadata[forward ? "x" : "y"] = "1";
            writer.Metadata[forward ? "y" : "x"] = "1";
            using var stream = new MemoryStream();
            writer.Write(stream);
            return stream.ToArray();
        }
        Assert.That(Bytes(true), Is.EqualTo(Bytes(false)));
    }

    [Test]
    public void AllIntegerTypesAreRead()
    {
        string path =
            Make("""{"i8":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},"""
            + """ "u8":{"dtype":"BOOL","shape":[1],"data_offsets":[1,2]},"""
            + """ "i16":{"dtype":"I16","shape":[1],"data_offsets":[2,4]},"""
            + """ "u16":{"dtype":"U16","shape":[1],"data_offsets":[4,6]},"""
            + """ "u32":{"dtype":"U32","shape":[1],"data_offsets":[6,10]},"""
            + """ "u64":{"dtype":"U64","shape":[1],"data_offsets":[10,18]},"""
            + """ "f64":{"dtype":"F64","shape":[1],"data_offsets":[18,26]}}  """, 26);
        byte[] bytes = File.ReadAllBytes(path);
        bytes.AsSpan(^26).Fill(0xff);
        BinaryPrimitives.WriteDoubleLittleEndian(bytes.AsSpan(^8), 0.1);
        File.WriteAllBytes(path, bytes);
        using var file = new SafeTensors(path);
        Assert.Multiple(() =>
        {
            Assert.That(file.ReadIntegers("i8"), Is.EqualTo(new long[] { -1 }));
            Assert.That(file.ReadIntegers("u8"), Is.EqualTo(new long[] { 255 }));
            Assert.That(file.ReadIntegers("i16"), Is.EqualTo(new long[] { -1 }));
            Assert.That(file.ReadIntegers("u16"), Is.EqualTo(new long[] { 65535 }));
            Assert.That(file.ReadIntegers("u32"), Is.EqualTo(new long[] { uint.MaxValue }));
            Assert.That(() => file.ReadIntegers("u64"), Throws.TypeOf<InputException>());
            Assert.That(file.ReadFloats("f64"), Is.EqualTo(new[] { 0.1f }));
        });
    }

    [Test]
    public void AWrongTypeOrNameIsAnErrorThatNamesIt()
    {
        using var file = new SafeTensors(Make(OneTensor, 8));
        Assert.Multiple(() =>
        {
            Assert.That(() => file.ReadIntegers("a"), Throws.TypeOf<InputException>().With.Message.Contains("'a'"));
            Assert.That(() => file.ReadBytes("a"), Throws.TypeOf<InputException>().With.Message.Contains("F32 [2]"));
            Assert.That(() => file.ReadFloats("b"), Throws.TypeOf<InputException>().With.Message.Contains("'b'"));
        });
    }

    private static readonly TestCaseData[] Hostile =
    [
        new TestCaseData(OneTensor, 8, 1UL << 63, "header's length").SetArgDisplayNames("header of 2^63 bytes"),
        new TestCaseData(OneTensor, 8, ulong.MaxValue,
            "header's length").SetArgDisplayNames("header of 2^64 - 1 bytes"),
        new TestCaseData(OneTensor, 8, 100_000_001UL, "header's length").SetArgDisplayNames("header over the cap"),
        new TestCaseData(OneTensor, 8, 1000UL, "header's length").SetArgDisplayNames("header beyond the end"),
        new TestCaseData(OneTensor, 8, 10UL, "JSON").SetArgDisplayNames("header cut"),
        new TestCaseData(OneTensor, 7, null, "cut short").SetArgDisplayNames("data cut"),
        new TestCaseData(OneTensor, 9, null, "the tensors end at").SetArgDisplayNames("trailing garbage"),
        new TestCaseData(OneTensor + "{}", 8, null, "JSON").SetArgDisplayNames("garbage after the header"),
        Header("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}""", "twice", "duplicate name"),
        Header("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}""", "overlaps", "overlap"),
        Header("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}""", "gap", "gap"),
        Header("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}}""", "ends at byte 20", "out of range"),
        Header("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[9223372036854775807,16]}}""", "data_offsets",
        "begin after end"),
        Header("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[-16,0]}}""", "whole numbers", "negative offset"),
        Header("""{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}""", "whole numbers", "negative size"),
        Header("""{"a":{"dtype":"F32","shape":[4.5],"data_offsets":[0,16]}}""", "whole numbers", "fractional size"),
        Header("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,16]}}""", "whole numbers",
        "size beyond 64 bits"),
        Header("""{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}""", "more elements",
        "product wraps to 0"),
        Header("""{"a":{"dtype":"F64","shape":[2305843009213693954],"data_offsets":[0,16]}}""", "more elements",
        "bytes wrap to 16"),
        Header("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}}""",
        "more than 16", "too many axes"),
        Header("""{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}""", "takes 20 bytes",
        "shape and offsets disagree"),
        Header("""{"a":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}}""", "dtype 'F33'", "unknown dtype"),
        Header("""{"a":{"dtype":"9","shape":[4],"data_offsets":[0,16]}}""", "dtype '9'", "dtype as a number"),
        Header("""{"a":{"dtype":9,"shape":[4],"data_offsets":[0,16]}}""", "expected text", "dtype not text"),
        Header("""{"a":{"dtype":"F32","shape":4,"data_offsets":[0,16]}}""", "expected a list", "shape not a list"),
        Header("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,8,16]}}""", "two data_offsets", "three offsets"),
        Header("""{"a":{"dtype":"F32","shape":[4]}}""", "two data_offsets", "no offsets"),
        Header("""{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", "repeated", "field twice"),
        Header("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16],"x":1}}""", "unexpected", "unknown field"),
        Header("""{"a":[]}""", "an object", "entry not an object"),
        Header("""[]""", "an object", "header not an object"),
        Header("""{"__metadata__":{"a":1}}""", "expected text", "metadata not text"),
        Header("""{"__metadata__":{},"__metadata__":{}}""", "twice", "metadata twice"),
        Header("""{"__metadata__":{"a":"1","a":"2"}}""", "twice", "metadata key twice"),
        Header("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "JSON",
            "half a surrogate pair"),
        Header(new string('[', 5000), "an object", "deep nesting"),
        Header("", "JSON", "no header"),
    ];

    private static TestCaseData Header(string header, string says, string name) =>
        new TestCaseData(header, 16, null, says).SetArgDisplayNames(name);

    [TestCaseSource(nameof(Hostile))]
    public void AHostileFileIsAnErrorThatNamesFileAndFault(string header, int dataBytes, ulong? length, string says)
    {
        string path = Make(header, dataBytes, length);
        Assert.That(() => new SafeTensors(path),
            Throws.TypeOf<InputException>().With.Message.Contains(path).And.Message.Contains(says));
    }

    [Test]
    public void AMissingFileFolderOrTooShortFileIsAnError()
    {
        File.WriteAllBytes(In("short"), new byte[9]);
        File.WriteAllBytes(In("empty"), []);
        Assert.Multiple(() =>
        {
            Assert.That(() => new SafeTensors(In("none")),
                Throws.TypeOf<InputException>().With.Message.Contains("no such file"));
            Assert.That(() => new SafeTensors(In("short")),
                Throws.TypeOf<InputException>().With.Message.Contains("found 9"));
            Assert.That(() => new SafeTensors(In("empty")), Throws.TypeOf<InputException>());
            Assert.That(() => TensorSource.Open(Folder),
                Throws.TypeOf<InputException>().With.Message.Contains("no weights"));
        });
    }

    [Test]
    public void LongNamesAndControlCharactersAreCutInMessages()
    {
        string name = "\\u001b[31m" + new string('n', 100_000);
        InputException error = Assert.Throws<InputException>(
            () => _ = new SafeTensors(Make("{\"" + name + "\":{\"dtype\":\"?\"}}", 2)))!;
        Assert.That(error.Message, Has.Length.LessThan(1000).And.Contains("\\u001b[31mnnn"));
    }

    [Test]
    public void AFailedWriteLeavesWhatWasThereAndNothingElse()
    {
        File.WriteAllText(In("x"), "before");
        Assert.That(() => AtomicFile.Write(In("x"), stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("disk full");
        }), Throws.TypeOf<IOException>().With.Message.Contains("disk full"));
        Assert.That(Directory.GetFiles(Folder), Is.EqualTo(new[] { In("x") }));
        Assert.That(File.ReadAllText(In("x")), Is.EqualTo("before"));
        // A file where a folder is needed cannot be written into, whoever runs the test.
        Assert.That(() => new SafeTensorsWriter().Write(In("x/y")), Throws.TypeOf<IOException>());
    }

    [Test]
    public void ADeviceStaysADevice()
    {
        if (!File.Exists("/dev/full"))
            Assert.Ignore("there is no /dev/full on this system");
        Assert.That(() => AtomicFile.Write("/dev/full", stream => stream.Write(new byte[10])),
            Throws.TypeOf<IOException>().With.Message.Contains("No space left"));
        Assert.That(() => AtomicFile.Write("/dev/null", stream => stream.Write(new byte[10])), Throws.Nothing);
        Assert.That(() => File.WriteAllBytes("/dev/full", new byte[10]), Throws.TypeOf<IOException>(),
            "still the device");
    }

    [Test]
    public void AFileMayBeReplacedWhileItIsOpen()
    {
        var writer = new SafeTensorsWriter();
        writer.Add("x", [1], new float[] { 1 });
        writer.Write(In("x"));
        using var before = new SafeTensors(In("x"));
        var second = new SafeTensorsWriter();
        second.Add("x", [1], new float[] { 2 });
        second.Write(In("x"));
        using var after = new SafeTensors(In("x"));
        Assert.That((before.ReadFloats("x")[0], after.ReadFloats("x")[0]), Is.EqualTo((1f, 2f)));
    }

    [Test]
    public void NothingIsReadAfterItWasClosed()
    {
        var file = new SafeTensors(Make(OneTensor, 8));
        file.Dispose();
        Assert.That(() => file.ReadFloats("a"), Throws.TypeOf<ObjectDisposedException>());
    }

    [Test]
    public void AFolderOfShardsReadsAsOne()
    {
        WriteShards();
        using TensorSource source = TensorSource.Open(Folder);
        Assert.That(source.ReadFloats("a").Concat(source.ReadFloats("b")), Is.EqualTo(new float[] { 1, 2 }));
    }

    [TestCase("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}}""", "'c' is not in",
        TestName = "Index: a tensor too many")]
    [TestCase("""{"weight_map":{"a":"one.safetensors","b":"two.safetensors","c":"two.safetensors"}""", "JSON",
        TestName = "Index: cut short")]
    [TestCase("""{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}""", "JSON",
        TestName = "Index: a tensor twice")]
    [TestCase("""{"weight_map":{"a":"one.safetensors","b":"one.safetensors"}}""", "'b' is not in",
        TestName = "Index: in another file")]
    [TestCase("""{"weight_map":{"a":"../one.safetensors"}}""", "plain file name",
        TestName = "Index: out of the folder")]
    [TestCase("""{"weight_map":{"a":"/etc/passwd"}}""", "plain file name", TestName = "Index: an absolute path")]
    [TestCase("""{"weight_map":{"a":"three.safetensors"}}""", "no such file", TestName = "Index: a missing file")]
    [TestCase("""{"weight_map":{"a":1}}""", "file name", TestName = "Index: not a name")]
    [TestCase("""{"weight_map":[]}""", "weight_map", TestName = "Index: not a map")]
    [TestCase("[]", "weight_map", TestName = "Index: not an object")]
    public void AWrongIndexIsAnError(string index, string says)
    {
        WriteShards();
        File.WriteAllText(In("model.safetensors.index.json"), index);
        Assert.That(() => TensorSource.Open(Folder),
            Throws.TypeOf<InputException>().With.Message.Contains(says).And.Message.Contains(Folder));
    }

    [Test]
    public void ATensorThatTheIndexLeavesOutIsAnError()
    {
        WriteShards();
        var writer = new SafeTensorsWriter();
        writer.Add("b", [1], new float[] { 2 });
        writer.Add("d", [1], new float[] { 2 });
        writer.Write(In("two.safetensors"));
        Assert.That(() => TensorSource.Open(Folder), Throws.TypeOf<InputException>().With.Message.Contains("'d'"));
    }

    private void WriteShards()
    {
        foreach ((string file, string name, float value) in new[] { ("one", "a", 1f), ("two", "b", 2f) })
        {
            var writer = new SafeTensorsWriter();
            writer.Add(name, [1], new[] { value });
            writer.Write(In(file + ".safetensors"));
        }
        File.WriteAllText(In("model.safetensors.index.json"),
            """{"metadata":{"total_size":8},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}}""");
    }
}
