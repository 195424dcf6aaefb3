using System.Numerics;
using System.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>
/// Files that PyTorch 1.13 wrote (tests/checkpoints, made by weights-tools/export_checkpoints.py), and files that are
/// damaged or mean harm.
/// </summary>
public sealed class PyTorchCheckpointTests : TemporaryFolder
{
    private static string Made(string name) => Path.Combine(SharedFiles.Root, "tests", "checkpoints", name);

    [TestCase("state-dict.pt", "PyTorch checkpoint")]
    [TestCase("protocol-4.pt", "PyTorch checkpoint")]
    [TestCase("legacy.pt", "PyTorch checkpoint, legacy form")]
    public void WhatPyTorchWroteIsRead(string name, string format)
    {
        using TensorSource source = TensorSource.Open(Made(name)),
            expected = new SafeTensors(Made("expected.safetensors"));
        Assert.That(source.Format, Is.EqualTo(format));
        AssertSame(source, expected, expected.Tensors.Keys);
        Assert.That(source.DamagedRecords(), Is.Empty);
    }

    [Test]
    public void ShardsOfPyTorchReadAsOne()
    {
        // The folder has other files, so that the index is named; a folder of its own is found by itself.
        foreach (string file in Directory.GetFiles(Made(""), "pytorch_model*"))
            File.Copy(file, In(Path.GetFileName(file)));
        using TensorSource expected = new SafeTensors(Made("expected.safetensors"));
        foreach (string path in new[] { Made("pytorch_model.bin.index.json"), Folder })
        {
            using TensorSource source = TensorSource.Open(path);
            Assert.That(source.Format, Is.EqualTo("PyTorch checkpoint, 2 files with an index"));
            AssertSame(source, expected, ["whole", "transposed", "half", "int64", "scalar"]);
        }
    }

    private static void AssertSame(TensorSource source, TensorSource expected, IEnumerable<string> names)
    {
        Assert.That(source.Tensors.Keys, Is.EquivalentTo(names));
        foreach (string name in names)
        {
            TensorEntry entry = source.Entry(name);
            Assert.That(entry.Shape, Is.EqualTo(expected.Entry(name).Shape), name);
            Assert.That(entry.Type.SafeTensorsName(), Is.EqualTo(expected.Metadata[name]), name);
            if (TensorSource.IsFloating(entry.Type))
                Assert.That(source.ReadFloats(name), Is.EqualTo(expected.ReadFloats(name)), name);
            else
                Assert.That(source.ReadIntegers(name), Is.EqualTo(expected.ReadIntegers(name)), name);
        }
    }

    [Test]
    public void NestedContainersGiveNamesWithDotsAndValues()
    {
        using TensorSource source = TensorSource.Open(Made("training.pt"));
        Assert.That(source.Tensors.Keys, Is.EquivalentTo(new[] { "state_dict.weight", "state_dict.bias",
            "optimizer.state.0.step", "optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg_sq",
            "optimizer.state.1.step", "optimizer.state.1.exp_avg", "optimizer.state.1.exp_avg_sq" }));
        Assert.That((source.Values["epoch"], source.Values["name"], source.Values["optimizer.param_groups.0.betas.1"]),
            Is.EqualTo(("3", "a run", "0.999")));
        Assert.That(source.ReadFloats("optimizer.state.1.step"), Is.EqualTo(new float[] { 1 }));
    }

    [Test]
    public void AnArchiveOfTorchScriptIsReadAndItsHeadsAreKnown()
    {
        using TensorSource source = TensorSource.Open(Made("clip-micro.pt")),
            golden = new SafeTensors(Path.Combine(SharedFiles.Root, "tests", "golden",
            "clip_micro.weights.safetensors"));
        Assert.That(source.Format, Is.EqualTo("TorchScript archive"));
        Assert.That(source.Tensors.Keys,
            Is.EquivalentTo(golden.Tensors.Keys.Concat(["input_resolution", "context_length",
            "vocab_size"])));
        Assert.That(source.Entry("visual.proj").Type, Is.EqualTo(TensorType.F16));
        Assert.That(source.Values["visual.transformer.resblocks.1.attn.num_heads"], Is.EqualTo("3"));
        Assert.That(source.ReadFloats("visual.proj"),
            Is.EqualTo(golden.ReadFloats("visual.proj").Select(value => (float)(Half)value)));
        Assert.That(source.ReadFloats("ln_final.bias"), Is.EqualTo(golden.ReadFloats("ln_final.bias")));
    }

    [Test]
    public void AModuleIsRefusedByItsName() =>
        Assert.That(() => TensorSource.Open(Made("module.pt")), Throws.TypeOf<InputException>()
            .With.Message.Contains("'torch.nn.modules.linear Linear'").And.Message.Contains(
            "torch.save(model.state_dict()"));

    // Names that a pickle that means harm would name; each in all the ways in which a name can be written.
    [TestCase("os", "system")]
    [TestCase("posix", "system")]
    [TestCase("builtins", "eval")]
    [TestCase("__builtin__", "exec")]
    [TestCase("torch", "load")]
    [TestCase("torch", "FloatStorage.from_file")]
    [TestCase("torch._utils", "_rebuild_tensor_v2.__globals__")]
    [TestCase("torch.jit._pickle", "restore_type_tag")]
    [TestCase("numpy.core.multiarray", "scalar")]
    [TestCase("__torch__x", "Y")]
    [TestCase("", "")]
    public void NothingElseIsBuilt(string module, string name)
    {
        var writers = new PickleWriter[]
        {
            new PickleWriter().Start().Global(module, name).Text("touch it").Raw(0x85).Code("R."),
            new PickleWriter().Start().Text(module).Text(name).Raw(0x93).Text("touch it").Raw(0x85).Code("R."),
            // Named and thrown away, and in the middle of a state dict.
            new PickleWriter().Start().Code("}").Text("a").Global(module, name).Code("0N").Code("s."),
        };
        foreach (PickleWriter pickle in writers)
        {
            WriteArchive("x.pt", pickle.Bytes);
            Assert.That(() => TensorSource.Open(In("x.pt")), Throws.TypeOf<InputException>()
                .With.Message.Contains(In("x.pt")).And.Message.Contains($"'{module} {name}'"));
            WriteLegacy("y.pt", pickle.Bytes, []);
            Assert.That(() => TensorSource.Open(In("y.pt")), Throws.TypeOf<InputException>()
                .With.Message.Contains($"'{module} {name}'"));
        }
    }

    private static readonly TestCaseData[] Hostile =
    [
        Case("INST names a class", Pickle().Code("(ios\nsystem\n."), "instruction 0x69"),
        Case("OBJ makes an object", Pickle().Code("(o."), "instruction 0x6f"),
        Case("an extension", Pickle().Raw(0x82, 1).Code("."), "instruction 0x82"),
        Case("NEWOBJ_EX", Pickle().Code(")").Raw(0x92).Code("."), "instruction 0x92"),
        Case("an out-of-band buffer", Pickle().Raw(0x97).Code("."), "instruction 0x97"),
        Case("a persistent id as text", Pickle().Code("Px\n."), "instruction 0x50"),
        Case("a called dictionary", Pickle().Code("})R."), "does not take"),
        Case("a called tensor", Pickle().Tensor("FloatStorage", "0", 2).Code(")R."), "does not take"),
        Case("a storage class called", Pickle().Global("torch", "FloatStorage").Code(")R."), "does not take"),
        Case("an object of OrderedDict", Pickle().Global("collections", "OrderedDict").Code(")").Raw(0x81).Code("."),
        "an object of"),
        Case("attributes of a list", Pickle().Code("]}b."), "attributes of what has none"),
        Case("state that is no dictionary", Pickle().Global("__torch__", "M").Code(")").Raw(0x81).Code("]b."),
        "attributes"),
        Case("protocol 9", new PickleWriter().Raw(0x80, 9).Code("N."), "protocol 9"),
        Case("an empty pickle", new PickleWriter(), "ends too early"),
        Case("values left over", Pickle().Code("NN."), "left at its end"),
        Case("nothing left", Pickle().Code("."), "left at its end"),
        Case("a mark left", Pickle().Code("N(."), "left at its end"),
        Case("pops below the mark", Pickle().Code("N(0."), "a value is missing"),
        Case("a tuple across a mark", Pickle().Code("N(N").Raw(0x86).Code("."), "a value is missing"),
        Case("no mark", Pickle().Code("t."), "without its beginning"),
        Case("recalls what never was", Pickle().Code("h").Raw(7).Code("."), "no value 7"),
        Case("a text of 4 GiB", Pickle().Code("X").Raw(255, 255, 255, 255).Code("."), "4294967295 bytes are announced"),
        Case("a text of 2^63 bytes", Pickle().Raw(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80).Code("."),
        "9223372036854775808 bytes"),
        Case("a number of 2 GiB", Pickle().Raw(0x8b, 0, 0, 0, 0x80).Code("."), "bytes are announced"),
        Case("text that is none", Pickle().Raw(0x8c, 1, 0xff).Code("."), "no UTF-8"),
        Case("a name without end", Pickle().Code("c" + new string('a', 5000)), "a name without end"),
        Case("a key twice", Pickle().Code("}").Text("a").Code("Ns").Text("a").Code("Ns."), "'a' occurs twice"),
        Case("a key that is a list", Pickle().Code("}]Ns."), "a key"),
        Case("a dictionary within itself", Pickle().Code("}q\u0000").Text("a").Code("h\u0000s."), "32 levels"),
        Case("a list within itself", Pickle().Code("]q\u0000h\u0000a."), "32 levels"),
        Case("no storage", Pickle().Tensor("FloatStorage", "1", 2), "no record 'x/data/1'", end: true),
        Case("a storage out of the folder", Pickle().Tensor("FloatStorage", "../version", 2),
        "no record 'x/data/../version'", end: true),
        Case("a storage of another size", Pickle().Tensor("FloatStorage", "0", 3), "has 8 bytes, expected 12",
        end: true),
        Case("the same as a smaller one", Pickle().Code("}").Text("a").Tensor("FloatStorage", "0", 2)
        .Code("s").Text("b")
            .Tensor("FloatStorage", "0", 99).Code("s"), "has 8 bytes, expected 396", end: true),
        Case("2^62 elements", Pickle().Tensor("FloatStorage", "0", 1L << 62), "more than the file has bytes",
        end: true),
        Case("fewer than no elements", Pickle().Tensor("FloatStorage", "0", -1, 0, [2], [1]),
        "names no storage", end: true),
        Case("beyond the storage", Pickle().Tensor("FloatStorage", "0", 2, 1, [2], [1]),
        "do not lie within", end: true),
        Case("before the storage", Pickle().Tensor("FloatStorage", "0", 2, -1, [2], [1]),
        "do not lie within", end: true),
        Case("a negative stride", Pickle().Tensor("FloatStorage", "0", 2, 1, [2], [-1]),
        "do not lie within", end: true),
        Case("a negative size", Pickle().Tensor("FloatStorage", "0", 2, 0, [-2], [1]), "do not lie within", end: true),
        Case("strides beyond the storage", Pickle().Tensor("FloatStorage", "0", 2, 0, [1, 2], [1, 2]),
        "do not lie within", end: true),
        Case("a stride that wraps", Pickle().Tensor("FloatStorage", "0", 2, 0, [3, 2], [1L << 62, 1]),
        "do not lie within", end: true),
        Case("a shape that wraps", Pickle().Tensor("FloatStorage", "0", 2, 0, [1L << 32, 1L << 32], [0, 0]),
        "do not lie within", end: true),
        Case("an offset that wraps", Pickle().Tensor("FloatStorage", "0", 2, long.MaxValue, [2], [1]),
        "do not lie within", end: true),
        Case("strides missing", Pickle().Tensor("FloatStorage", "0", 2, 0, [2], []), "do not lie within", end: true),
        Case("17 axes", Pickle().Tensor("FloatStorage", "0", 2, 0, [.. new long[17]], [.. new long[17]]),
        "do not lie within", end: true),
        Case("2 elements shown as 10^9", Pickle().Tensor("FloatStorage", "0", 2, 0, [1_000_000_000], [0]),
        "expanded", end: true),
        Case("another class of storage", Pickle().Tensor("ComplexFloatStorage", "0", 2), "'torch ComplexFloatStorage'",
        end: true),
        Case("a module with its code", Pickle().Code("(").Text("module").Text("Net").Text("net.py").Text("class Net")
        .Code("tQ."),
            "a whole module"),
        Case("a part of a storage", Pickle().Code("(").Text("storage").Global("torch", "FloatStorage").Text("0")
            .Text("cpu").Number(2)
            .Tuple(1, 2, 3).Code("tQ."), "before version 0.4"),
        Case("two tensors of one name", Pickle().Code("}").Text("a.b").Tensor("FloatStorage", "0", 2).Code("s")
        .Text("a").Code("}")
            .Text("b").Tensor("FloatStorage", "0", 2).Code("ss."), "two tensors have the path 'a.b'"),
    ];

    private static PickleWriter Pickle() => new PickleWriter().Start();

    private static TestCaseData Case(string name, PickleWriter pickle, string says, bool end = false) =>
        new TestCaseData(end ? pickle.Code(".").Bytes : pickle.Bytes, says).SetArgDisplayNames(name);

    [TestCaseSource(nameof(Hostile))]
    public void AHostilePickleIsAnErrorThatNamesFileAndFault(byte[] pickle, string says)
    {
        WriteArchive("x.pt", pickle);
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains(In("x.pt")).And.Message.Contains(says));
    }

    /// <summary>A list of ten lists of ten lists, and so on: a few bytes a level, ten times as many values.</summary>
    [Test]
    public void ABillionLaughsTakeNeitherTimeNorMemory()
    {
        var pickle = new PickleWriter().Start().Code("]").Text("ha").Code("aq\u0000");
        for (byte level = 1; level < 30; level++)
            pickle.Code("0](").Code(string.Concat(Enumerable.Repeat($"h{(char)(level - 1)}", 10))).Code("e")
                .Code($"q{(char)level}");
        WriteArchive("x.pt", pickle.Code(".").Bytes);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("unfolds"));
        // 200,000 values of some 100 bytes each are made before the limit stops it.
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(100L << 20));
    }

    [Test]
    public void AnEndlessPickleStops()
    {
        WriteArchive("x.pt", new PickleWriter().Start().Code(new string('}', 4_000_000)).Bytes);
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("instructions and elements"));
    }

    [Test]
    public void NamesDoNotGrowWithoutEnd()
    {
        var pickle = new PickleWriter().Start().Text(new string('k', 900)).Code("q\u00000");
        pickle.Code("}h\u0000").Code("}h\u0000Nss.");
        WriteArchive("x.pt", pickle.Bytes);
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("1000 letters"));
    }

    [Test]
    public void ATensorAloneIsNamedTensor()
    {
        WriteArchive("x.pt", new PickleWriter().Start().Tensor("FloatStorage", "0", 2).Code(".").Bytes);
        using TensorSource source = TensorSource.Open(In("x.pt"));
        Assert.That(source.ReadFloats("tensor"), Is.EqualTo(new float[] { 1, 2 }));
    }

    [Test]
    public void AStridedTensorLargerThanAPieceIsRead()
    {
        // 2,100,000 elements of four bytes are more than the 8 MiB that are converted at once, and no whole number of
        // rows.
        const int Rows = 300, Columns = 7000;
        float[] values = [.. Enumerable.Range(0, Rows * Columns).Select(i => (float)i)];
        byte[] bytes = new byte[values.Length * 4];
        Buffer.BlockCopy(values, 0, bytes, 0, bytes.Length);
        WriteArchive("x.pt", new PickleWriter().Start()
            .Tensor("FloatStorage", "0", values.Length, 0, [Columns, Rows], [1, Columns]).Code(".").Bytes, bytes);
        using TensorSource source = TensorSource.Open(In("x.pt"));
        float[] read = source.ReadFloats("tensor");
        for (int column = 0; column < Columns; column += 13)
            for (int row = 0; row < Rows; row++)
                Assert.That(read[column * Rows + row], Is.EqualTo(values[row * Columns + column]));
    }

    [Test]
    public void LegacyFormChecksWhatItSays()
    {
        byte[] pickle = new PickleWriter().Start().Code("}").Text("a").Tensor("FloatStorage", "7", 2).Code("s.").Bytes;
        byte[] data = [.. BitConverter.GetBytes(2L), .. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f)];
        WriteLegacy("x.pt", pickle, ["7"], data);
        using (TensorSource source = TensorSource.Open(In("x.pt")))
            Assert.That(source.ReadFloats("a"), Is.EqualTo(new float[] { 1, 2 }));
        Refused("a number beyond the data", ["7"], "cut short", [.. BitConverter.GetBytes(3L), .. data[8..]]);
        Refused("a number that is negative", ["7"], "cut short", [.. BitConverter.GetBytes(-1L), .. data[8..]]);
        Refused("a number that wraps", ["7"], "cut short", [.. BitConverter.GetBytes(1L << 62), .. data[8..]]);
        Refused("cut in the number", ["7"], "cut short", data[..4]);
        Refused("cut in the data", ["7"], "cut short", data[..12]);
        Refused("bytes behind the data", ["7"], "1 bytes follow", [.. data, 0]);
        Refused("another storage", ["8"], "no tensor has", data);
        Refused("no storage", [], "no storage '7'", []);
        Refused("a storage twice", ["7", "7"], "twice", [.. data, .. data]);
        Refused("fewer elements", ["7"], "has 1 elements, expected 2", [.. BitConverter.GetBytes(1L), .. data[8..12]]);

        void Refused(string what, string[] keys, string says, byte[] bytes)
        {
            WriteLegacy("x.pt", pickle, keys, bytes);
            Assert.That(() => TensorSource.Open(In("x.pt")),
                Throws.TypeOf<InputException>().With.Message.Contains(says), what);
        }
    }

    [Test]
    public void OtherFilesAreNamedForWhatTheyAre()
    {
        var tar = new byte[600];
        "ustar"u8.CopyTo(tar.AsSpan(257));
        foreach ((byte[] bytes, string says) in new[]
        {
            (Encoding.ASCII.GetBytes("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"),
                "git lfs pull"),
            (Encoding.ASCII.GetBytes("<!DOCTYPE html><html>"), "a web page"), (tar, "a tar archive"),
            ([0x89, (byte)'H', (byte)'D', (byte)'F', 13, 10, 26, 10], "HDF5"),
            (Encoding.ASCII.GetBytes("GGUF1234"), "GGUF"),
            ([0x80, 2, (byte)'}', (byte)'.'], "not one that torch.save wrote"),
            (Encoding.ASCII.GetBytes("PK\u0003\u0004 and no more"), "no list of files"),
        })
        {
            File.WriteAllBytes(In("x"), bytes);
            Assert.That(() => TensorSource.Open(In("x")), Throws.TypeOf<InputException>().With.Message.Contains(says));
        }
    }

    [Test]
    public void AChangedByteIsFoundByItsChecksum()
    {
        byte[] bytes = File.ReadAllBytes(Made("state-dict.pt"));
        // The first storage: 60 numbers from 0 on.
        int at = bytes.AsSpan().IndexOf((byte[])[.. BitConverter.GetBytes(58f), .. BitConverter.GetBytes(59f)]);
        bytes[at] ^= 1;
        File.WriteAllBytes(In("x.pt"), bytes);
        using (TensorSource source = TensorSource.Open(In("x.pt")))
            Assert.That(source.DamagedRecords(), Has.One.Contains("'state-dict/data/0' is damaged"));

        bytes = File.ReadAllBytes(Made("state-dict.pt"));
        bytes[bytes.AsSpan().IndexOf("transposed"u8)] ^= 1;
        File.WriteAllBytes(In("x.pt"), bytes);
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("checksum"));
    }

    [Test]
    public void AnArchiveWithoutItsPickleIsRefused()
    {
        using (var archive = new ArchiveWriter(In("x.zip")))
            archive.Add("a/b/data.pkl", [1]);
        Assert.That(() => TensorSource.Open(In("x.zip")),
            Throws.TypeOf<InputException>().With.Message.Contains("found 0"));
        using (var archive = new ArchiveWriter(In("x.zip")))
        {
            archive.Add("a/data.pkl", [1]);
            archive.Add("b/data.pkl", [1]);
        }
        Assert.That(() => TensorSource.Open(In("x.zip")),
            Throws.TypeOf<InputException>().With.Message.Contains("found 2"));
    }

    /// <summary>Changes the entry of a record in the list at an archive's end.</summary>
    private void ChangeEntry(string record, Action<byte[], int> change)
    {
        WriteArchive("x.pt", new PickleWriter().Start().Tensor("FloatStorage", "0", 2).Code(".").Bytes);
        byte[] bytes = File.ReadAllBytes(In("x.pt"));
        change(bytes, bytes.AsSpan().LastIndexOf(Encoding.ASCII.GetBytes(record)) - 46);
        File.WriteAllBytes(In("x.pt"), bytes);
    }

    // The archive is as in a zip bomb that is not recursive: one record's bytes count for another too.
    [Test]
    public void RecordsThatOverlapAreRefused()
    {
        ChangeEntry("x/data/0", (bytes, at) =>
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(at + 20), 20);
            BitConverter.TryWriteBytes(bytes.AsSpan(at + 24), 20);
        });
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("'x/version' overlaps 'x/data/0'"));
    }

    // Ten bytes that say they are four gigabytes: nothing is ever unpacked.
    [Test]
    public void CompressedRecordsAreRefused([Values("x/data.pkl", "x/data/0")] string record)
    {
        ChangeEntry(record, (bytes, at) =>
        {
            bytes[at + 10] = 8;
            BitConverter.TryWriteBytes(bytes.AsSpan(at + 24), 0xfffffff0);
        });
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains($"'{record}' is compressed"));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(1 << 20));
    }

    [TestCase(20, 0x7fffffffu, "does not fit the file", TestName = "Zip: a record of 2 GiB")]
    [TestCase(24, 9u, "has 8 bytes and 9", TestName = "Zip: two lengths that differ")]
    [TestCase(42, 0x7fffffffu, "is said to be at byte 2147483647", TestName = "Zip: a record beyond the end")]
    [TestCase(42, 0u, "is not where the list of files says", TestName = "Zip: another record's place")]
    public void AnEntryThatCannotBeIsAnError(int field, uint value, string says)
    {
        ChangeEntry("x/data/0", (bytes, at) => BitConverter.TryWriteBytes(bytes.AsSpan(at + field), value));
        Assert.That(() => TensorSource.Open(In("x.pt")), Throws.TypeOf<InputException>().With.Message.Contains(says));
    }

    [Test]
    public void ANameThatOccursTwiceIsAnError()
    {
        using (var archive = new ArchiveWriter(In("x.pt")))
        {
            archive.Add("x/data.pkl", new PickleWriter().Start().Code("N.").Bytes);
            archive.Add("x/data.pkl", new PickleWriter().Start().Code("}.").Bytes);
        }
        Assert.That(() => TensorSource.Open(In("x.pt")),
            Throws.TypeOf<InputException>().With.Message.Contains("occurs twice"));
    }

    // Records are found by name and never written anywhere, so that such a name leads nowhere.
    [Test]
    public void NamesThatLeadOutOfTheArchiveWriteNothing()
    {
        using (var archive = new ArchiveWriter(In("x.pt")))
        {
            archive.Add("x/data.pkl", new PickleWriter().Start().Tensor("FloatStorage", "../../../y", 2)
                .Code(".").Bytes);
            archive.Add("x/data/../../../y", [.. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f)]);
            archive.Add("/etc/cliper-gpu-was-here", [1]);
        }
        using (TensorSource source = TensorSource.Open(In("x.pt")))
            Assert.That(source.ReadFloats("tensor"), Is.EqualTo(new float[] { 1, 2 }));
        Assert.That(Directory.GetFileSystemEntries(Folder), Is.EqualTo(new[] { In("x.pt") }));
    }

    private void WriteArchive(string name, byte[] pickle, byte[]? data = null)
    {
        using var archive = new ArchiveWriter(In(name));
        archive.Add("x/data.pkl", pickle);
        archive.Add("x/data/0", data ?? [.. BitConverter.GetBytes(1f), .. BitConverter.GetBytes(2f)]);
        archive.Add("x/version", [(byte)'3', 10]);
    }

    private void WriteLegacy(string name, byte[] content, string[] keys, byte[]? data = null)
    {
        var list = new PickleWriter().Start().Code("](");
        foreach (string key in keys)
            list.Text(key);
        File.WriteAllBytes(In(name), [
            .. new PickleWriter().Start().Number(BigInteger.Parse("119547037146038801333356")).Code(".").Bytes,
            .. new PickleWriter().Start().Number(1001).Code(".").Bytes,
            .. new PickleWriter().Start().Code("}").Text("little_endian").Raw(0x88).Code("s.").Bytes,
            .. content, .. list.Code("e.").Bytes, .. data ?? []]);
    }
}
