using System.Globalization;
using System.Numerics;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// A file that torch.save or torch.jit.save wrote, read a piece at a time: an archive (zip; PyTorch 1.6 and later, or
/// TorchScript such as OpenAI's ViT-B-32.pt), or the legacy form of pickles one after the other with the storages
/// behind them. Every tensor in it has the path to it as its name: keys of dictionaries, attributes of objects and
/// places in lists, joined by dots; a state dict's names are its keys. Tensors may share a storage and have any
/// strides. Nothing in the file is run: see <see cref="PyTorchPickle"/>.
/// </summary>
public sealed class PyTorchCheckpoint : TensorSource
{
    /// <summary>Name of the file in a folder of Hugging Face's layout.</summary>
    public const string DefaultName = "pytorch_model.bin";

    /// <summary>The <see cref="Format"/> of archives of modules, in which OpenAI published its models.</summary>
    public const string TorchScriptFormat = "TorchScript archive";

    private const string PickleRecord = "data.pkl", DataFolder = "data/", CodeFolder = "code/", ByteOrder = "byteorder";
    private const int LegacyProtocol = 1001;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356",
        CultureInfo.InvariantCulture);

    private readonly ReadOnlyFile _file;
    private readonly PyTorchContent _content;
    private readonly Dictionary<string, ZipEntry> _records = [];
    private readonly string _format;

    /// <summary>Opens a file and checks that every tensor lies within it.</summary>
    /// <exception cref="InputException">It is not there, not readable, damaged, or holds more than tensors and plain
    /// containers.</exception>
    public PyTorchCheckpoint(string path) : base(path)
    {
        _file = new ReadOnlyFile(path);
        _content = new PyTorchContent(_file.Length, Fault);
        try
        {
            using (FileBytes start = _file.ReadPiece(0, (int)Math.Min(_file.Length, FileKind.Looked)))
                _format = FileKind.Of(start.Span) == FileKind.Zip ? "PyTorch checkpoint"
                    : "PyTorch checkpoint, legacy form";
            if (_format == "PyTorch checkpoint")
                _format = ReadArchive();
            else
                ReadLegacy();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorEntry> Tensors => _content.Tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Values => _content.Values;

    /// <inheritdoc/>
    public override string Format => _format;

    /// <summary>Reads the archive and returns what kind it is.</summary>
    private string ReadArchive()
    {
        foreach ((string name, ZipEntry entry) in ZipDirectory.Read(_file))
            _records.Add(name, entry);
        // All records are in one folder, of any name.
        string[] pickles = [.. _records.Keys.Where(name => name.EndsWith('/' + PickleRecord, StringComparison.Ordinal)
            && name.IndexOf('/') == name.Length - PickleRecord.Length - 1)];
        if (pickles.Length != 1)
            throw Fault($"a zip archive, but not one that PyTorch wrote: expected one FOLDER/{PickleRecord}, found "
                + $"{pickles.Length}; if it is a packed folder, unpack it");
        string folder = pickles[0][..^PickleRecord.Length];
        ZipEntry record = Stored(pickles[0]);
        if (record.Length > PyTorchPickle.LongestPickle)
            throw Fault($"{PickleRecord} has {record.Length:N0} bytes, expected at most "
                + $"{PyTorchPickle.LongestPickle:N0}; save the model's state dict alone");
        if (Damage(record) is { } damage)
            throw Fault(damage);
        if (_records.ContainsKey(folder + ByteOrder) && Stored(folder + ByteOrder) is { Length: < 16 } order
            && !_file.Read(order.Start, (int)order.Length).AsSpan().SequenceEqual("little"u8))
            throw Fault("written in big-endian order; save it anew on a little-endian machine");
        var pickle = new PyTorchPickle(_file.Read(record.Start, (int)record.Length), Fault);
        _content.Add(pickle.Read(), storage =>
        {
            ZipEntry data = Stored(folder + DataFolder + storage.Key);
            long expected = _content.BytesOf(storage);
            return data.Length == expected ? data.Start
                : throw Fault($"{DataFolder}{Shown(storage.Key)} has {data.Length} bytes, expected {expected} for "
                    + $"{storage.Elements} of {storage.Type.SafeTensorsName()}; get or write the file anew");
        });
        return _records.Keys.Any(name => name.StartsWith(folder + CodeFolder, StringComparison.Ordinal))
            ? TorchScriptFormat : "PyTorch checkpoint";
    }

    private ZipEntry Stored(string name) => !_records.TryGetValue(name, out ZipEntry? entry)
        ? throw Fault($"no record {ForeignText.Quote(name)} in the archive; get or write the file anew")
        : entry.Stored ? entry
        : throw Fault($"record {ForeignText.Quote(name)} is compressed or encrypted, which PyTorch never does; unpack "
            + "the archive and save it anew with PyTorch");

    private void ReadLegacy()
    {
        int length = (int)Math.Min(_file.Length, PyTorchPickle.LongestPickle);
        var pickle = new PyTorchPickle(_file.Read(0, length), Fault);
        if (pickle.Read() is not BigInteger magic || magic != LegacyMagic)
            throw Fault("a pickle, but not one that torch.save wrote; save the tensors with torch.save or as "
                + "safetensors");
        if (pickle.Read() is not (long)LegacyProtocol)
            throw Fault($"another version of PyTorch's legacy form than {LegacyProtocol}; save it anew");
        if (pickle.Read() is not PickleDictionary { Items: var system }
            || !system.TryGetValue("little_endian", out object? little) || little is not true)
            throw Fault("not written in little-endian order; save it anew on a little-endian machine");
        object? content = pickle.Read();
        if (pickle.Read() is not List<object?> keys)
            throw Fault("no list of storages after the content; get or write the file anew");
        var elements = new Dictionary<string, (long At, long Elements)>(StringComparer.Ordinal);
        var sizes = StorageSizes(content);
        long at = pickle.Position;
        foreach (object? item in keys)
        {
            if (item is not string key || !sizes.TryGetValue(key, out int size))
                throw Fault("the list of storages names one that no tensor has; get or write the file anew");
            if (at > _file.Length - sizeof(long))
                throw Fault(Cut);
            long count = BitConverter.ToInt64(_file.Read(at, sizeof(long)));
            at += sizeof(long);
            if (count < 0 || count > (_file.Length - at) / size)
                throw Fault(Cut);
            if (!elements.TryAdd(key, (at, count)))
                throw Fault("the list of storages names one twice; get or write the file anew");
            at += count * size;
        }
        if (at != _file.Length)
            throw Fault($"{_file.Length - at} bytes follow the last storage; get or write the file anew");
        _content.Add(content, storage => !elements.TryGetValue(storage.Key, out (long At, long Elements) place)
            ? throw Fault($"no storage {Shown(storage.Key)}; get or write the file anew")
            : place.Elements == storage.Elements ? place.At
            : throw Fault($"storage {Shown(storage.Key)} has {place.Elements} elements, expected {storage.Elements}; "
                + "get or write the file anew"));
    }

    private const string Cut = "a storage does not fit the file (a file that was cut short?); get or write it anew";

    /// <summary>Bytes of an element of every storage that the content names.</summary>
    private Dictionary<string, int> StorageSizes(object? content)
    {
        var sizes = new Dictionary<string, int>(StringComparer.Ordinal);
        var seen = new HashSet<object>(ReferenceEqualityComparer.Instance);
        var left = new Stack<object?>([content]);
        while (left.TryPop(out object? value))
        {
            if (value is PickleTensor { Storage: var storage })
            {
                if (sizes.TryGetValue(storage.Key, out int size) && size != storage.Type.Size())
                    throw Fault($"storage {Shown(storage.Key)} has elements of two sizes; get or write the file anew");
                sizes[storage.Key] = storage.Type.Size();
            }
            IEnumerable<object?> below = value switch
            {
                PickleDictionary dictionary => dictionary.Items.Values,
                List<object?> list => list,
                object?[] tuple => tuple,
                _ => [],
            };
            if (value is not null && seen.Add(value))
                foreach (object? item in below)
                    left.Push(item);
        }
        return sizes;
    }

    internal override FileBytes ReadPiece(TensorEntry entry, long offset, int length) =>
        _content.Placements[entry.Name].ReadPiece(_file, entry, offset, length);

    internal override IEnumerable<string> DamagedRecords() => _records.Values.Where(record => record.Stored)
        .Select(Damage).OfType<string>();

    /// <summary>Fault of a record's checksum; null if there is none. Writers that leave the checksum out put
    /// zero.</summary>
    private string? Damage(ZipEntry record)
    {
        if (record.Crc == 0)
            return null;
        var crc = new Crc32();
        for (long done = 0; done < record.Length; done += PieceBytes)
        {
            using FileBytes piece = _file.ReadPiece(record.Start + done,
                (int)Math.Min(PieceBytes, record.Length - done));
            crc.Append(piece.Span);
        }
        return crc.Value == record.Crc ? null
            : $"record {ForeignText.Quote(record.Name)} is damaged: its checksum is {crc.Value:x8}, expected "
                + $"{record.Crc:x8}; get or write the file anew";
    }

    private static string Shown(string key) => ForeignText.Quote(key);

    private InputException Fault(string fault) => new($"{Path}: {fault}");

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();
}
