using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace Cliper.Model.Weights;

/// <summary>
/// Named tensors in one or several files, opened for reading. Nothing is converted or copied until it is asked for.
/// Reading is thread-safe; the files must not be cut short while they are open.
/// </summary>
public abstract class TensorSource : IDisposable
{
    private protected TensorSource(string path) => Path = path;

    /// <summary>The file or folder that was opened, for messages.</summary>
    public string Path { get; }

    /// <summary>What is there, by name, in the order of the files.</summary>
    public abstract IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    /// <summary>The files' free-form metadata.</summary>
    public abstract IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>
    /// Opens weights: a .safetensors file, a sharded index (*.index.json), or a folder with model.safetensors or
    /// model.safetensors.index.json.
    /// </summary>
    /// <exception cref="InputException">There is no such file, or it is damaged; the message says what to
    /// do.</exception>
    public static TensorSource Open(string path)
    {
        if (Directory.Exists(path))
        {
            string single = System.IO.Path.Combine(path, SafeTensors.DefaultName);
            string index = single + SafeTensorsIndex.Suffix;
            if (File.Exists(single))
                return new SafeTensors(single);
            if (File.Exists(index))
                return new SafeTensorsIndex(index);
            throw new InputException($"{path}: no weights in this folder: expected {SafeTensors.DefaultName} or " +
                $"{SafeTensors.DefaultName}{SafeTensorsIndex.Suffix}; name the file if it is called otherwise");
        }
        if (path.EndsWith(SafeTensorsIndex.Suffix, StringComparison.Ordinal))
            return new SafeTensorsIndex(path);
        return new SafeTensors(path);
    }

    /// <summary>The bytes of a tensor as they are stored (little-endian, row-major), not copied; valid until the source
    /// is disposed.</summary>
    /// <exception cref="InputException">No such tensor, or one of more than 2 GiB.</exception>
    public ReadOnlySpan<byte> RawBytes(string name)
    {
        TensorEntry entry = Entry(name);
        if (entry.Bytes > Array.MaxLength)
            throw Wrong(name, "at most 2 GiB", $"{entry.Bytes:N0} bytes", "split the tensor");
        return RawBytes(entry);
    }

    private protected abstract ReadOnlySpan<byte> RawBytes(TensorEntry entry);

    /// <summary>What the source says of a tensor.</summary>
    /// <exception cref="InputException">No such tensor.</exception>
    public TensorEntry Entry(string name) => Tensors.TryGetValue(name, out TensorEntry? entry) ? entry
        : throw new InputException($"{Path}: no tensor {TensorEntry.Quote(name)} among its {Tensors.Count}; " +
            "check that this is the file that is meant");

    /// <summary>A floating-point tensor in single precision (F64 is rounded).</summary>
    /// <exception cref="InputException">No such tensor, or one of integers.</exception>
    public float[] ReadFloats(string name)
    {
        CheckFloating(name);
        // The length is known to fit an array only after RawBytes has looked.
        int size = Entry(name).Type.Size();
        var values = GC.AllocateUninitializedArray<float>(RawBytes(name).Length / size);
        ReadFloats(name, values);
        return values;
    }

    /// <summary>A floating-point tensor in single precision (F64 is rounded).</summary>
    /// <param name="name">Its name.</param>
    /// <param name="target">As many elements as the tensor has.</param>
    /// <exception cref="InputException">No such tensor, or one of integers.</exception>
    public void ReadFloats(string name, Span<float> target)
    {
        TensorEntry entry = CheckFloating(name);
        ReadOnlySpan<byte> bytes = RawBytes(name);
        if (target.Length != entry.Count)
            throw new ArgumentException($"{target.Length} elements for {entry}", nameof(target));
        switch (entry.Type)
        {
            case TensorType.F32:
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(target);
                break;
            case TensorType.F16:
                TensorPrimitives.ConvertToSingle(MemoryMarshal.Cast<byte, Half>(bytes), target);
                break;
            case TensorType.BF16:
                Span<uint> bits = MemoryMarshal.Cast<float, uint>(target);
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, ushort>(bytes), bits);
                TensorPrimitives.ShiftLeft(bits, 16, bits);
                break;
            default:
                TensorPrimitives.ConvertTruncating(MemoryMarshal.Cast<byte, double>(bytes), target);
                break;
        }
    }

    /// <summary>A tensor of integers or booleans.</summary>
    /// <exception cref="InputException">No such tensor, one of floating-point numbers, or a U64 beyond 2^63 -
    /// 1.</exception>
    public long[] ReadIntegers(string name)
    {
        TensorEntry entry = Entry(name);
        ReadOnlySpan<byte> bytes = RawBytes(name);
        var values = new long[entry.Count];
        switch (entry.Type)
        {
            case TensorType.Bool or TensorType.U8: Widen<byte>(bytes, values); break;
            case TensorType.I8: Widen<sbyte>(bytes, values); break;
            case TensorType.I16: Widen<short>(bytes, values); break;
            case TensorType.U16: Widen<ushort>(bytes, values); break;
            case TensorType.I32: Widen<int>(bytes, values); break;
            case TensorType.U32: Widen<uint>(bytes, values); break;
            case TensorType.I64: Widen<long>(bytes, values); break;
            case TensorType.U64:
                Widen<ulong>(bytes, values);
                if (values.AsSpan().ContainsAnyInRange(long.MinValue, -1))
                    throw Wrong(name, "integers up to 2^63 - 1", "larger ones", "store them as I64");
                break;
            default:
                throw Wrong(name, "integers", entry.ToString(), "check that this is the file that is meant");
        }
        return values;
    }

    /// <summary>A tensor of bytes (U8, I8 or booleans), copied.</summary>
    /// <exception cref="InputException">No such tensor, or one of larger elements.</exception>
    public byte[] ReadBytes(string name)
    {
        TensorEntry entry = Entry(name);
        if (entry.Type.Size() != 1)
            throw Wrong(name, "bytes", entry.ToString(), "check that this is the file that is meant");
        return RawBytes(name).ToArray();
    }

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
        new($"{Path}: tensor {TensorEntry.Quote(tensor)}: expected {expected}, found {found}; {remedy}");

    /// <summary>Closes the files. Bytes handed out are no longer valid.</summary>
    public abstract void Dispose();
}
