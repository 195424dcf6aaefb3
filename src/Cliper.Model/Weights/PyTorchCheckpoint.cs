using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// A file that torch.save or torch.jit.save wrote, mapped into memory: an archive (zip; PyTorch 1.6 and later, or
/// TorchScript such as OpenAI's ViT-B-32.pt), or the legacy form of pickles one after the other with the storages
/// behind them. Every tensor in it has the path to it as its name: keys of dictionaries, attributes of objects and
/// places in lists, joined by dots; a state dict's names are its keys. Tensors may share a storage and have any
/// strides. Nothing in the file is run: see <see cref="PyTorchPickle"/>.
/// </summary>
public sealed class PyTorchCheckpoint : TensorSource
{
    /// <summary>Name of the file in a folder of Hugging Face's layout.</summary>
    public const string DefaultName = "pytorch_model.bin";

    private const string PickleRecord = "data.pkl", DataFolder = "data/", CodeFolder = "code/", ByteOrder = "byteorder";
    private const int LegacyProtocol = 1001, MostAxes = 16;

    // Limits of what a small pickle may unfold to by naming one value many times.
    private const int MostLeaves = 200_000, DeepestPath = 32, LongestName = 1000, LongestValue = 200;

    /// <summary>Bytes that a view may take although its storage has fewer, as expanded positions do.</summary>
    private const int SmallView = 1 << 20;

    private static readonly BigInteger LegacyMagic = BigInteger.Parse("119547037146038801333356",
        CultureInfo.InvariantCulture);

    private readonly MappedFile _file;
    private readonly Dictionary<string, TensorEntry> _tensors = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Placement> _placements = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);
    private readonly Dictionary<PickleStorage, long> _storages = [];
    private readonly Dictionary<string, ZipEntry> _records = [];
    private readonly string _format;
    private int _leaves;

    /// <summary>Where a tensor's elements are: the byte at which the storage begins, the first element in it, and, of a
    /// tensor that is not contiguous, how many elements lie between its first and its last.</summary>
    private sealed record Placement(long Storage, long Offset, long[] Strides, bool Contiguous, int Extent);

    /// <summary>Opens a file and checks that every tensor lies within it.</summary>
    /// <exception cref="InputException">It is not there, not readable, damaged, or holds more than tensors and plain
    /// containers.</exception>
    public PyTorchCheckpoint(string path) : base(path)
    {
        _file = new MappedFile(path);
        try
        {
            using (MappedBytes start = _file.Map(0, (int)Math.Min(_file.Length, FileKind.Looked)))
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
    public override IReadOnlyDictionary<string, TensorEntry> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Values => _values;

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
                + $"{PyTorchPickle.LongestPickle:N0}; "
                + "save the model's state dict alone");
        if (Damage(record) is { } damage)
            throw Fault(damage);
        if (_records.ContainsKey(folder + ByteOrder) && Stored(folder + ByteOrder) is { Length: < 16 } order
            && !_file.Read(order.Start, (int)order.Length).AsSpan().SequenceEqual("little"u8))
            throw Fault("written in big-endian order; save it anew on a little-endian machine");
        var pickle = new PyTorchPickle(_file.Read(record.Start, (int)record.Length), Fault);
        Flatten("", pickle.Read(), storage =>
        {
            ZipEntry data = Stored(folder + DataFolder + storage.Key);
            return data.Length == Bytes(storage) ? data.Start
                : throw Fault($"{DataFolder}{Shown(storage.Key)} has {data.Length} bytes, expected {Bytes(storage)} "
                    + "for "
                    + $"{storage.Elements} of {storage.Type.SafeTensorsName()}; get or write the file anew");
        }, 0);
        return _records.Keys.Any(name => name.StartsWith(folder + CodeFolder, StringComparison.Ordinal))
            ? "TorchScript archive" : "PyTorch checkpoint";
    }

    private ZipEntry Stored(string name) => !_records.TryGetValue(name, out ZipEntry? entry)
        ? throw Fault($"no record {ForeignText.Quote(name)} in the archive; get or write the file anew")
        : entry.Stored ? entry
        : throw Fault($"record {ForeignText.Quote(name)} is compressed or encrypted, which PyTorch never does; unpack "
            + "the "
            + "archive and save it anew with PyTorch");

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
        Flatten("", content, storage => !elements.TryGetValue(storage.Key, out (long At, long Elements) place)
            ? throw Fault($"no storage {Shown(storage.Key)}; get or write the file anew")
            : place.Elements == storage.Elements ? place.At
            : throw Fault($"storage {Shown(storage.Key)} has {place.Elements} elements, expected {storage.Elements}; "
                + "get or "
                + "write the file anew"), 0);
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

    /// <summary>Gives every tensor and plain value its name.</summary>
    private void Flatten(string name, object? value, Func<PickleStorage, long> place, int depth)
    {
        if (++_leaves > MostLeaves || depth > DeepestPath || name.Length > LongestName)
            throw Fault($"unfolds to more than {MostLeaves:N0} values, {DeepestPath} levels or names of {LongestName} "
                + "letters; "
                + "save the model's state dict alone");
        switch (value)
        {
            case PickleDictionary dictionary:
                foreach ((string key, object? item) in dictionary.Items)
                    Flatten(Below(name, key), item, place, depth + 1);
                break;
            case List<object?> or object?[]:
                int index = 0;
                foreach (object? item in (IEnumerable<object?>)value)
                    Flatten(Below(name, (index++).ToString(CultureInfo.InvariantCulture)), item, place, depth + 1);
                break;
            case PickleTensor tensor:
                AddTensor(name.Length == 0 ? "tensor" : name, tensor, place);
                break;
            case bool or long or double or string:
                string text = Convert.ToString(value, CultureInfo.InvariantCulture)!;
                _values.TryAdd(name, text.Length > LongestValue ? text[..LongestValue] + "…" : text);
                break;
        }
    }

    private static string Below(string name, string key) => name.Length == 0 ? key : $"{name}.{key}";

    private void AddTensor(string name, PickleTensor tensor, Func<PickleStorage, long> place)
    {
        string what = $"tensor {ForeignText.Quote(name)}";
        long extent = 1;
        var entry = new TensorEntry(name, tensor.Storage.Type, tensor.Shape);
        if (tensor.Shape.Length > MostAxes || tensor.Strides.Length != tensor.Shape.Length || tensor.Offset < 0
            || tensor.Shape.Any(size => size < 0) || tensor.Strides.Any(stride => stride < 0))
            throw Impossible();
        if (!_storages.TryGetValue(tensor.Storage, out long start))
            _storages[tensor.Storage] = start = place(tensor.Storage);
        try
        {
            checked
            {
                for (int axis = 0; axis < tensor.Shape.Length; axis++)
                    extent += Math.Max(0, tensor.Shape[axis] - 1) * tensor.Strides[axis];
                if (entry.Count > 0 && extent > tensor.Storage.Elements - tensor.Offset)
                    throw Impossible();
                if (entry.Bytes > Math.Max(SmallView, Bytes(tensor.Storage)))
                    throw Fault($"{what} shows {entry.Count} elements of {tensor.Storage.Elements} that are stored (an "
                        + "expanded "
                        + "tensor); store it with .contiguous()");
            }
        }
        catch (OverflowException)
        {
            throw Impossible();
        }
        bool contiguous = IsContiguous(tensor);
        if (!contiguous && extent > Array.MaxLength / entry.Type.Size())
            throw Fault($"{what} is spread over more than 2 GiB; store it with .contiguous()");
        if (!_tensors.TryAdd(name, entry))
            throw Fault($"two tensors have the path {ForeignText.Quote(name)}; save one state dict alone");
        _placements.Add(name, new Placement(start, tensor.Offset, tensor.Strides, contiguous,
            contiguous ? 0 : (int)extent));

        InputException Impossible() => Fault($"{what}: shape {TensorEntry.ShapeText(tensor.Shape)}, strides "
            + $"{TensorEntry.ShapeText(tensor.Strides)} and offset {tensor.Offset} do not lie within its "
            + $"{tensor.Storage.Elements} stored elements; get or write the file anew");
    }

    private static bool IsContiguous(PickleTensor tensor)
    {
        if (tensor.Shape.Contains(0))
            return true;
        long expected = 1;
        for (int axis = tensor.Shape.Length - 1; axis >= 0; axis--)
        {
            if (tensor.Shape[axis] > 1 && tensor.Strides[axis] != expected)
                return false;
            expected *= tensor.Shape[axis];
        }
        return true;
    }

    private long Bytes(PickleStorage storage) => storage.Elements <= _file.Length
        ? storage.Elements * storage.Type.Size()
        : throw Fault($"storage {Shown(storage.Key)} is said to have {storage.Elements} elements, more than the file "
            + "has "
            + "bytes; get or write the file anew");

    internal override MappedBytes Map(TensorEntry entry, long offset, int length)
    {
        Placement placement = _placements[entry.Name];
        int size = entry.Type.Size();
        long storage = placement.Storage + placement.Offset * size;
        if (placement.Contiguous)
            return _file.Map(storage + offset, length);
        var elements = new byte[length];
        switch (size)
        {
            case 1: Gather<byte>(elements, entry, placement, offset); break;
            case 2: Gather<ushort>(elements, entry, placement, offset); break;
            case 4: Gather<uint>(elements, entry, placement, offset); break;
            default: Gather<ulong>(elements, entry, placement, offset); break;
        }
        return new MappedBytes(elements);
    }

    /// <summary>Fills <paramref name="target"/> with elements from the one at byte <paramref name="offset"/> of the
    /// tensor in row-major order on, a row of the last axis at a time.</summary>
    private void Gather<T>(byte[] target, TensorEntry entry, Placement placement, long offset) where T : unmanaged
    {
        Span<T> elements = MemoryMarshal.Cast<byte, T>(target.AsSpan());
        int size = entry.Type.Size(), axes = entry.Shape.Count;
        using MappedBytes mapped = _file.Map(placement.Storage + placement.Offset * size, placement.Extent * size);
        ReadOnlySpan<T> stored = MemoryMarshal.Cast<byte, T>(mapped.Span);
        // A strided tensor has an axis, and none of size zero.
        long row = entry.Shape[axes - 1], stride = placement.Strides[axes - 1];
        long index = offset / size;
        while (elements.Length > 0)
        {
            long rest = index / row, column = index % row, at = column * stride;
            for (int axis = axes - 2; axis >= 0; axis--)
            {
                at += rest % entry.Shape[axis] * placement.Strides[axis];
                rest /= entry.Shape[axis];
            }
            int count = (int)Math.Min(row - column, elements.Length);
            for (int i = 0; i < count; i++)
                elements[i] = stored[(int)(at + i * stride)];
            elements = elements[count..];
            index += count;
        }
    }

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
            using MappedBytes piece = _file.Map(record.Start + done, (int)Math.Min(PieceBytes, record.Length - done));
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
