using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>A class or function that a pickle names. It stands for its name only: nothing is ever called.</summary>
internal sealed record PickleGlobal(string Module, string Name)
{
    public override string ToString() => $"{Module} {Name}";
}

/// <summary>A dictionary, or the attributes of an object of TorchScript.</summary>
internal sealed class PickleDictionary
{
    /// <summary>Whether it stands for an object, which gets its attributes later.</summary>
    public bool IsObject { get; init; }

    /// <summary>Keys as text, in the order of the pickle.</summary>
    public OrderedDictionary<string, object?> Items { get; set; } = new(StringComparer.Ordinal);
}

/// <summary>Elements of one type in a record of their own, as a persistent id names them.</summary>
internal sealed record PickleStorage(string Key, TensorType Type, long Elements);

/// <summary>A tensor's view of a storage, as the pickle states it; not yet checked.</summary>
internal sealed record PickleTensor(PickleStorage Storage, long Offset, long[] Shape, long[] Strides);

/// <summary>
/// Reads the pickles that PyTorch writes (protocols 2 to 5) with an allow-list: it makes tensors, dictionaries, lists,
/// tuples, numbers and texts, and nothing else. A pickle is a program that may name and call anything; here names
/// outside the list are refused, and those on it are understood, never called. What it makes takes memory in proportion
/// to the pickle's bytes and is limited in number.
/// </summary>
/// <param name="bytes">The bytes with the pickle.</param>
/// <param name="fault">Makes the error of a sentence.</param>
internal sealed class PyTorchPickle(byte[] bytes, Func<string, InputException> fault)
{
    /// <summary>The longest pickle that is read. Those of real checkpoints have well below a megabyte.</summary>
    public const int LongestPickle = 32 << 20;

    /// <summary>Instructions and elements: some 100,000 tensors.</summary>
    private const int MostSteps = 3_000_000;

    private const int LongestLine = 1000, LongestNumber = 256;

    private static readonly UTF8Encoding Utf8 = new(false, throwOnInvalidBytes: true);

    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _steps;

    /// <summary>Where the next pickle begins.</summary>
    public int Position { get; private set; }

    /// <summary>Reads one pickle, from <see cref="Position"/> on.</summary>
    /// <returns>null, a bool, long, <see cref="BigInteger"/>, double, string, byte[], object?[] (a tuple),
    /// List&lt;object?&gt;, <see cref="PickleDictionary"/>, <see cref="PickleTensor"/>, <see cref="PickleStorage"/> or
    /// <see cref="PickleGlobal"/>.</returns>
    public object? Read()
    {
        _stack.Clear();
        _marks.Clear();
        _memo.Clear();
        while (true)
        {
            Spend(1);
            byte code = Byte();
            switch ((char)code)
            {
                case '.':
                    return _stack.Count == 1 && _marks.Count == 0 ? _stack[0]
                        : throw Damaged($"{_stack.Count} values are left at its end");
                case (char)0x80: // PROTO
                    if (Byte() is var protocol and (< 2 or > 5))
                        throw Damaged($"protocol {protocol}, expected 2 to 5");
                    break;
                case (char)0x95: // FRAME
                    Take(8);
                    break;
                case '(': _marks.Add(_stack.Count); break;
                case '0': Pop(); break;
                case '1': PopMark(); break;
                case '2': _stack.Add(Top()); break;
                case 'N': _stack.Add(null); break;
                case (char)0x88: _stack.Add(true); break;
                case (char)0x89: _stack.Add(false); break;
                case 'J': _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(Take(4))); break;
                case 'K': _stack.Add((long)Byte()); break;
                case 'M': _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2))); break;
                case 'G': _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(Take(8))); break;
                case (char)0x8a: PushLong(Byte()); break;
                case (char)0x8b: PushLong(Length(4)); break;
                case 'X': _stack.Add(Text(Length(4))); break;
                case (char)0x8c: _stack.Add(Text(Byte())); break;
                case (char)0x8d: _stack.Add(Text(Length(8))); break;
                // Texts of Python 2, which has no other for the names of tensors.
                case 'T': _stack.Add(Encoding.Latin1.GetString(Take(Length(4)))); break;
                case 'U': _stack.Add(Encoding.Latin1.GetString(Take(Byte()))); break;
                case 'B': _stack.Add(Take(Length(4)).ToArray()); break;
                case 'C': _stack.Add(Take(Byte()).ToArray()); break;
                case (char)0x8e: _stack.Add(Take(Length(8)).ToArray()); break;
                case ']' or (char)0x8f: _stack.Add(new List<object?>()); break; // EMPTY_LIST, EMPTY_SET
                case 'l' or (char)0x91: _stack.Add(new List<object?>(PopMark())); break; // LIST, FROZENSET
                case 'a': Append(Pop()); break;
                case 'e' or (char)0x90: Append(PopMark()); break; // APPENDS, ADDITEMS
                case ')': _stack.Add(Array.Empty<object?>()); break;
                case 't': _stack.Add(PopMark()); break;
                case (char)0x85: _stack.Add(PopTuple(1)); break;
                case (char)0x86: _stack.Add(PopTuple(2)); break;
                case (char)0x87: _stack.Add(PopTuple(3)); break;
                case '}': _stack.Add(new PickleDictionary()); break;
                case 'd':
                    object?[] pairs = PopMark();
                    _stack.Add(new PickleDictionary());
                    SetItems(pairs);
                    break;
                case 's': SetItems(PopTuple(2)); break;
                case 'u': SetItems(PopMark()); break;
                case 'q': Memoize(Byte()); break;
                case 'r': Memoize(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
                case (char)0x94: Memoize((uint)_memo.Count); break;
                case 'h': Recall(Byte()); break;
                case 'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(Take(4))); break;
                case 'c': _stack.Add(Global(Line(), Line())); break;
                case (char)0x93: // STACK_GLOBAL
                    object? name = Pop(), module = Pop();
                    _stack.Add(Global(module as string ?? "", name as string ?? ""));
                    break;
                case 'R': // REDUCE
                    object? arguments = Pop(), callable = Pop();
                    _stack.Add(Reduce(callable as PickleGlobal, arguments as object?[]));
                    break;
                case (char)0x81: // NEWOBJ
                    object? none = Pop(), type = Pop();
                    _stack.Add(type is PickleGlobal global && IsScript(global.Module) && none is object?[] { Length: 0 }
                        ? new PickleDictionary { IsObject = true }
                        : throw Damaged($"an object of {Describe(type)} with arguments"));
                    break;
                case 'b': Build(Pop()); break;
                case 'Q': _stack.Add(Storage(Pop() as object?[])); break;
                default:
                    throw Damaged($"instruction 0x{code:x2} at byte {Position - 1}, which no checkpoint needs");
            }
        }
    }

    /// <summary>Whether a class is one that TorchScript compiled: its objects are nothing but their
    /// attributes.</summary>
    private static bool IsScript(string module) =>
        module == "__torch__" || module.StartsWith("__torch__.", StringComparison.Ordinal);

    /// <summary>The allow-list of names.</summary>
    private PickleGlobal Global(string module, string name)
    {
        bool known = IsScript(module) || (module, name) is ("collections", "OrderedDict")
            or ("torch._utils", "_rebuild_tensor" or "_rebuild_tensor_v2" or "_rebuild_parameter"
                or "_rebuild_parameter_with_state")
            or ("torch.jit._pickle", "build_intlist" or "build_doublelist" or "build_boollist" or "build_tensorlist")
            or ("torch", "Size") or ("_codecs", "encode") or ("__builtin__" or "builtins", "set")
            || (module == "torch" && StorageType(name) is not null);
        return known ? new PickleGlobal(module, name) : throw fault(
            $"asks for {ForeignText.Quote($"{module} {name}")}, which is neither a tensor nor a plain container. "
            + "It was not loaded: a pickle may run anything. If you trust the file, open it with PyTorch and save its "
            + "tensors "
            + "alone: torch.save(model.state_dict(), 'weights.pt')");
    }

    private static TensorType? StorageType(string name) => name switch
    {
        "FloatStorage" => TensorType.F32,
        "HalfStorage" => TensorType.F16,
        "BFloat16Storage" => TensorType.BF16,
        "DoubleStorage" => TensorType.F64,
        "LongStorage" => TensorType.I64,
        "IntStorage" => TensorType.I32,
        "ShortStorage" => TensorType.I16,
        "CharStorage" => TensorType.I8,
        "ByteStorage" => TensorType.U8,
        "BoolStorage" => TensorType.Bool,
        _ => null,
    };

    private object? Reduce(PickleGlobal? callable, object?[]? arguments)
    {
        object?[] given = arguments ?? throw Damaged("a call without arguments");
        switch (callable?.Name)
        {
            case "_rebuild_tensor" or "_rebuild_tensor_v2" when given is [PickleStorage storage, long offset,
                object?[] shape,
                object?[] strides, ..]:
                // The seventh says that the tensor is to be negated or conjugated when read, which is never stored by
                // models.
                if (given.Length > 6 && given[6] is not (null or PickleDictionary { Items.Count: 0 }))
                    throw Damaged("a tensor with flags (negated or conjugated); store it with .clone()");
                return new PickleTensor(storage, offset, Whole(shape), Whole(strides));
            case "_rebuild_parameter" or "_rebuild_parameter_with_state" when given is [PickleTensor tensor, ..]:
                return tensor;
            case "OrderedDict" when given.Length == 0:
                return new PickleDictionary();
            case "OrderedDict" when given is [List<object?> pairs]:
                var dictionary = new PickleDictionary();
                foreach (object? pair in pairs)
                    Set(dictionary, pair is object?[] { Length: 2 } two ? two
                        : pair is List<object?> { Count: 2 } listed ? [.. listed]
                            : throw Damaged("a pair that is none"));
                return dictionary;
            case "Size" when given is [object?[] sizes]:
                return sizes;
            case "build_intlist" or "build_doublelist" or "build_boollist" or "build_tensorlist" or "set"
                when given is [List<object?> list]:
                return list;
            case "encode" when given is [string text, ..]:
                Spend(text.Length);
                return Encoding.Latin1.GetBytes(text);
            default:
                throw Damaged($"{Describe(callable)} with arguments that it does not take");
        }
    }

    private void Build(object? state)
    {
        if (Top() is not PickleDictionary target || state is not PickleDictionary attributes)
            throw Damaged("attributes of what has none");
        // An ordered dictionary's own attributes are versions of modules (_metadata), which say nothing of tensors.
        if (target.IsObject)
            target.Items = attributes.Items;
    }

    private PickleStorage Storage(object?[]? id)
    {
        if (id is ["module", PickleGlobal or string, ..])
            throw fault("holds a whole module with its code; open it with PyTorch and save its state dict: "
                + "torch.save(model.state_dict(), 'weights.pt')");
        if (id is not ["storage", PickleGlobal { Module: "torch" } type, string key, string, long elements, ..]
            || StorageType(type.Name) is not { } element || elements < 0)
            throw Damaged("a persistent id that names no storage");
        if (id.Length > 5 && id[5] is not null)
            throw Damaged("a storage that is a part of another, as PyTorch wrote them before version 0.4; open it with "
                + "PyTorch and save it anew");
        return new PickleStorage(key, element, elements);
    }

    private long[] Whole(object?[] values)
    {
        Spend(values.Length);
        var numbers = new long[values.Length];
        for (int i = 0; i < numbers.Length; i++)
            numbers[i] = values[i] is long number ? number : throw Damaged("a shape or stride that is no whole number");
        return numbers;
    }

    private void Append(params ReadOnlySpan<object?> values)
    {
        if (Top() is not List<object?> list)
            throw Damaged("an element added to what is no list");
        list.AddRange(values);
    }

    private void SetItems(object?[] keysAndValues)
    {
        if (Top() is not PickleDictionary dictionary || keysAndValues.Length % 2 != 0)
            throw Damaged("an entry added to what is no dictionary");
        for (int i = 0; i < keysAndValues.Length; i += 2)
            Set(dictionary, keysAndValues[i..(i + 2)]);
    }

    private void Set(PickleDictionary dictionary, object?[] pair)
    {
        Spend(1);
        string key = pair[0] switch
        {
            string text => text,
            long number => number.ToString(CultureInfo.InvariantCulture),
            bool truth => truth ? "True" : "False",
            _ => throw Damaged($"a key that is neither text nor a whole number: {Describe(pair[0])}"),
        };
        if (!dictionary.Items.TryAdd(key, pair[1]))
            throw Damaged($"{ForeignText.Quote(key)} occurs twice");
    }

    private void Memoize(uint index) => _memo[index] = Top();

    private void Recall(uint index) =>
        _stack.Add(_memo.TryGetValue(index, out object? value) ? value : throw Damaged($"no value {index} to recall"));

    private object? Top() => _stack.Count > Floor ? _stack[^1] : throw Damaged("a value is missing");

    private object? Pop()
    {
        object? value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    private object?[] PopTuple(int count)
    {
        if (_stack.Count - count < Floor)
            throw Damaged("a value is missing");
        object?[] values = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    private object?[] PopMark()
    {
        if (_marks.Count == 0)
            throw Damaged("the end of a list without its beginning");
        object?[] values = PopTuple(_stack.Count - Floor);
        _marks.RemoveAt(_marks.Count - 1);
        return values;
    }

    /// <summary>Values below the last mark are out of reach.</summary>
    private int Floor => _marks.Count == 0 ? 0 : _marks[^1];

    /// <summary>Text by which an error shows a value: the name of a class, or only its kind.</summary>
    private static string Describe(object? value) =>
        value is PickleGlobal global ? ForeignText.Quote(global.ToString()) : value?.GetType().Name ?? "None";

    private void Spend(int steps)
    {
        _steps += steps;
        if (_steps > MostSteps)
            throw Damaged($"more than {MostSteps:N0} instructions and elements");
    }

    private byte Byte() => Take(1)[0];

    private ReadOnlySpan<byte> Take(int count)
    {
        if (count > bytes.Length - Position)
            throw Damaged("it ends too early");
        ReadOnlySpan<byte> taken = bytes.AsSpan(Position, count);
        Position += count;
        return taken;
    }

    /// <summary>A length of 4 or 8 bytes; one beyond the pickle's end is a fault before anything is made of
    /// it.</summary>
    private int Length(int size)
    {
        ReadOnlySpan<byte> field = Take(size);
        ulong length = size == 4 ? BinaryPrimitives.ReadUInt32LittleEndian(field)
            : BinaryPrimitives.ReadUInt64LittleEndian(field);
        return length <= (ulong)(bytes.Length - Position) ? (int)length
            : throw Damaged($"{length} bytes are announced, but it ends before");
    }

    private string Text(int length)
    {
        try
        {
            return Utf8.GetString(Take(length));
        }
        catch (DecoderFallbackException)
        {
            throw Damaged("text that is no UTF-8");
        }
    }

    private void PushLong(int length)
    {
        if (length > LongestNumber)
            throw Damaged($"a number of {length} bytes");
        var number = new BigInteger(Take(length));
        _stack.Add(number >= long.MinValue && number <= long.MaxValue ? (long)number : (object)number);
    }

    private string Line()
    {
        ReadOnlySpan<byte> rest = bytes.AsSpan(Position, Math.Min(bytes.Length - Position, LongestLine));
        int end = rest.IndexOf((byte)'\n');
        if (end < 0)
            throw Damaged("a name without end");
        string line = Text(end);
        Position++;
        return line;
    }

    private InputException Damaged(string what) =>
        fault($"the pickle is damaged or of no kind that PyTorch writes: {what}; get or write the file anew");
}
