using System.Collections.Immutable;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using Cliper.Kernels.Memory;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Named tensors in one or several files, opened for reading. Nothing is converted or copied until it is asked for.
/// Reading is thread-safe. A file that is cut short while it is open ends in an <see cref="InputException"/>.
/// </summary>
public abstract class TensorSource : IDisposable
{
    /// <summary>Bytes that are read at once; whole elements of every type.</summary>
    internal const int PieceBytes = 8 << 20;

    /// <summary>Beginning of the names of OpenCLIP's weights.</summary>
    private const string OpenClipPrefix = "open_clip_";

    // OpenCLIP's repositories hold Hugging Face's files too, which bring more of the configuration in standard places.
    private static readonly string[] DefaultNames = [SafeTensors.DefaultName, PyTorchCheckpoint.DefaultName,
        OpenClipPrefix + SafeTensors.DefaultName, OpenClipPrefix + PyTorchCheckpoint.DefaultName];

    private protected TensorSource(string path) => Path = path;

    /// <summary>The file or folder that was opened, for messages.</summary>
    public string Path { get; }

    /// <summary>Whether the file has a name by which it is the model of its folder, so that the configuration in the
    /// folder is its own.</summary>
    internal bool IsModelOfFolder => System.IO.Path.GetFileName(Path) is var name
        && (name.StartsWith(OpenClipPrefix, StringComparison.Ordinal)
            || DefaultNames.Any(known => name == known || name == known + ShardIndex.Suffix));

    /// <summary>Every tensor by its name, in the order of the files.</summary>
    public abstract IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>The files' free-form metadata.</summary>
    public abstract IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Kind of the file, such as "safetensors".</summary>
    public abstract string Format { get; }

    /// <summary>Numbers, truth values and texts that a PyTorch checkpoint holds beside its tensors, as text, by
    /// path.</summary>
    public virtual IReadOnlyDictionary<string, string> Values => ImmutableDictionary<string, string>.Empty;

    /// <summary>
    /// Opens weights by their content: safetensors, a checkpoint that PyTorch wrote (zip, TorchScript archive or legacy
    /// form), a sharded index of either (*.index.json), a folder with model.safetensors or pytorch_model.bin (or
    /// their indices) or one of the same names after "open_clip_", or what <see cref="WeightsPath.Find"/> takes
    /// for a name.
    /// </summary>
    /// <exception cref="InputException">There is no such file, or it is damaged; the message says what to
    /// do.</exception>
    public static TensorSource Open(string path)
    {
        path = WeightsPath.Find(path);
        if (!Directory.Exists(path))
            return path.EndsWith(ShardIndex.Suffix, StringComparison.Ordinal) ? new ShardIndex(path) : OpenFile(path);
        foreach (string name in DefaultNames)
        {
            string single = System.IO.Path.Combine(path, name);
            if (File.Exists(single))
                return OpenFile(single);
            if (File.Exists(single + ShardIndex.Suffix))
                return new ShardIndex(single + ShardIndex.Suffix);
        }
        throw new InputException($"{path}: no weights in this folder: expected {string.Join(" or ", DefaultNames)}, or "
            + $"one of them with {ShardIndex.Suffix}; name the file if it is called otherwise");
    }

    /// <summary>Opens one file by its content.</summary>
    private protected static TensorSource OpenFile(string path)
    {
        byte[] start;
        using (var file = new ReadOnlyFile(path))
            start = file.Read(0, (int)Math.Min(file.Length, FileKind.Looked));
        return FileKind.Of(start) switch
        {
            FileKind.Zip => new PyTorchCheckpoint(path),
            FileKind.Pickle => new PyTorchCheckpoint(path),
            string other => throw new InputException($"{path}: {other}"),
            null => new SafeTensors(path),
        };
    }

    /// <summary>
    /// A piece of a tensor's bytes as they are stored (little-endian) in row-major order, until it is disposed.
    /// </summary>
    /// <param name="entry">The tensor.</param>
    /// <param name="offset">The first byte; the beginning of an element.</param>
    /// <param name="length">Bytes, whole elements.</param>
    internal abstract FileBytes ReadPiece(TensorEntry entry, long offset, int length);

    /// <summary>Reads all that has a checksum and says which of it is damaged, a sentence each. Formats without
    /// checksums have none.</summary>
    internal virtual IEnumerable<string> DamagedRecords() => [];

    /// <summary>Type and shape of a tensor.</summary>
    /// <exception cref="InputException">No such tensor.</exception>
    public TensorEntry Entry(string name) => Tensors.TryGetValue(name, out TensorEntry? entry) ? entry
        : throw new InputException($"{Path}: no tensor {ForeignText.Quote(name)} among its {Tensors.Count}; " +
            "check that this is the file that is meant");

    /// <summary>A floating-point tensor in single precision (F64 is rounded).</summary>
    /// <exception cref="InputException">No such tensor, one of integers, or one of more than 2 GiB.</exception>
    public float[] ReadFloats(string name)
    {
        CheckFloating(name);
        var values = GC.AllocateUninitializedArray<float>(Count(Entry(name)));
        ReadFloats(name, values);
        return values;
    }

    /// <summary>A floating-point tensor in single precision (F64 is rounded). A piece of the file at a time is read,
    /// so that this takes little memory of its own.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="target">Span of as many elements as the tensor has.</param>
    /// <exception cref="InputException">No such tensor, or one of integers.</exception>
    public void ReadFloats(string name, Span<float> target) => Read(name, target, checkFinite: false);

    /// <summary>The same as <see cref="ReadFloats(string, Span{float})"/>, for numbers that a model computes
    /// with.</summary>
    /// <exception cref="InputException">No such tensor, one of integers, or one with a number that is not
    /// finite.</exception>
    internal void ReadFiniteFloats(string name, Span<float> target) => Read(name, target, checkFinite: true);

    /// <summary>The same in an array of its own.</summary>
    internal float[] ReadFiniteFloats(string name)
    {
        CheckFloating(name);
        var values = GC.AllocateUninitializedArray<float>(Count(Entry(name)));
        ReadFiniteFloats(name, values);
        return values;
    }

    private void Read(string name, Span<float> target, bool checkFinite)
    {
        TensorEntry entry = CheckFloating(name);
        if (target.Length != entry.Count)
            throw new ArgumentException($"{target.Length} elements for {entry}", nameof(target));
        int size = entry.Type.Size();
        for (int done = 0; done < target.Length; done += PieceBytes / size)
        {
            Span<float> part = target[done..Math.Min(target.Length, done + PieceBytes / size)];
            using FileBytes bytes = ReadPiece(entry, (long)done * size, part.Length * size);
            Convert(bytes.Span, entry.Type, part);
            // A piece is checked while the caches hold it.
            if (checkFinite && !TensorPrimitives.IsFiniteAll<float>(part))
                throw NotFinite(name, part, done);
        }
    }

    private InputException NotFinite(string name, ReadOnlySpan<float> part, int before)
    {
        int first = 0;
        while (float.IsFinite(part[first]))
            first++;
        return Wrong(name, "finite numbers", $"{part[first]} at element {before + first}",
            "the training has diverged or the file is damaged: use another, or get it anew");
    }

    private static void Convert(ReadOnlySpan<byte> bytes, TensorType type, Span<float> target)
    {
        switch (type)
        {
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(target);
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), target);
                break;
            case TensorType.BF16:
                BFloat16.FromBits(MemoryMarshal.Cast<byte, ushort>(bytes), target);
                break;
            default:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), target);
                break;
        }
    }

    /// <summary>A tensor of integers or booleans.</summary>
    /// <exception cref="InputException">No such tensor, one of floating-point numbers or of more than 2 GiB, or a U64
    /// beyond 2^63 - 1.</exception>
    public long[] ReadIntegers(string name)
    {
        TensorEntry entry = Entry(name);
        if (IsFloating(entry.Type))
            throw Wrong(name, "integers", entry.ToString(), "check that this is the file that is meant");
        var values = new long[Count(entry)];
        using FileBytes piece = ReadPiece(entry, 0, (int)entry.Bytes);
        ReadOnlySpan<byte> bytes = piece.Span;
        switch (entry.Type)
        {
            case TensorType.Bool or TensorType.U8: Widen<byte>(bytes, values); break;
            case TensorType.I8: Widen<sbyte>(bytes, values); break;
            case TensorType.I16: Widen<short>(bytes, values); break;
            case TensorType.U16: Widen<ushort>(bytes, values); break;
            case TensorType.I32: Widen<int>(bytes, values); break;
            case TensorType.U32: Widen<uint>(bytes, values); break;
            case TensorType.I64: Widen<long>(bytes, values); break;
            default:
                Widen<ulong>(bytes, values);
                if (values.AsSpan().ContainsAnyInRange(long.MinValue, -1))
                    throw Wrong(name, "integers up to 2^63 - 1", "larger ones", "store them as I64");
                break;
        }
        return values;
    }

    /// <summary>A tensor of bytes (U8, I8 or booleans), copied.</summary>
    /// <exception cref="InputException">No such tensor, one of larger elements, or one of more than 2 GiB.</exception>
    public byte[] ReadBytes(string name)
    {
        TensorEntry entry = Entry(name);
        if (entry.Type.Size() != 1)
            throw Wrong(name, "bytes", entry.ToString(), "check that this is the file that is meant");
        using FileBytes bytes = ReadPiece(entry, 0, Count(entry));
        return bytes.Span.ToArray();
    }

    /// <summary>Writes a tensor's bytes, a piece at a time.</summary>
    internal void CopyTo(TensorEntry entry, Stream target)
    {
        for (long done = 0; done < entry.Bytes; done += PieceBytes)
        {
            using FileBytes piece = ReadPiece(entry, done, (int)Math.Min(PieceBytes, entry.Bytes - done));
            target.Write(piece.Span);
        }
    }

    /// <summary>Elements of a tensor that has to fit an array.</summary>
    private int Count(TensorEntry entry) => entry.Bytes <= Array.MaxLength ? (int)entry.Count
        : throw Wrong(entry.Name, "at most 2 GiB", $"{entry.Bytes:N0} bytes", "split the tensor");

    /// <summary>Whether a tensor holds floating-point numbers.</summary>
    internal static bool IsFloating(TensorType type) =>
        type is TensorType.F16 or TensorType.BF16 or TensorType.F32 or TensorType.F64;

    private TensorEntry CheckFloating(string name)
    {
        TensorEntry entry = Entry(name);
        return IsFloating(entry.Type) ? entry
            : throw Wrong(name, "F32, F16, BF16 or F64", entry.ToString(), "check that this is the file that is meant");
    }

    private static void Widen<T>(ReadOnlySpan<byte> bytes, long[] target)
        where T : unmanaged, System.Numerics.INumberBase<T> =>
        TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, T>(bytes), target.AsSpan());

    private protected InputException Wrong(string tensor, string expected, string found, string remedy) =>
        new($"{Path}: tensor {ForeignText.Quote(tensor)}: expected {expected}, found {found}; {remedy}");

    /// <summary>Closes the files.</summary>
    public abstract void Dispose();
}
