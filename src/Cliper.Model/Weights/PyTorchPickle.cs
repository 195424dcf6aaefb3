using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Reads the pickles that PyTorch writes (protocols 2 to 5) with the list of <see cref="PickleAllowList"/>: it makes
/// tensors, dictionaries, lists, tuples, numbers and texts, and nothing else. A pickle is a program that may name and
/// call anything; here names outside the list are refused, and those on it are understood, never called. All that it
/// makes takes memory in proportion to the pickle's bytes and is limited in number.
/// </summary>
/// <param name="bytes">The bytes with the pickle.</param>
/// <param name="fault">Makes the error of a sentence.</param>
internal sealed class PyTorchPickle(byte[] bytes, Func<string, InputException> fault)
{
    /// <summary>The longest pickle that is read. Those of real checkpoints have well below a megabyte.</summary>
    public const int LongestPickle = 32 << 20;

    /// <summary>Instructions and elements: some 100,000 tensors.</summary>
    private const int MostSteps = 3_000_000;

    private readonly PickleBytes _input = new(bytes, fault);
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly Dictionary<uint, object?> _memo = [];
    private int _steps;

    /// <summary>Where the next pickle begins.</summary>
    public int Position => _input.Position;

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
            byte code = _input.Byte();
            switch ((char)code)
            {
                case '.':
                    return _stack.Count == 1 && _marks.Count == 0 ? _stack[0]
                        : throw Damaged($"{_stack.Count} values are left at its end");
                case (char)0x80: // PROTO
                    if (_input.Byte() is var protocol and (< 2 or > 5))
                        throw Damaged($"protocol {protocol}, expected 2 to 5");
                    break;
                case (char)0x95: // FRAME
                    _input.Take(8);
                    break;
                case '(': _marks.Add(_stack.Count); break;
                case '0': Pop(); break;
                case '1': PopMark(); break;
                case '2': _stack.Add(Top()); break;
                case 'N': _stack.Add(null); break;
                case (char)0x88: _stack.Add(true); break;
                case (char)0x89: _stack.Add(false); break;
                case 'J': _stack.Add((long)BinaryPrimitives.ReadInt32LittleEndian(_input.Take(4))); break;
                case 'K': _stack.Add((long)_input.Byte()); break;
                case 'M': _stack.Add((long)BinaryPrimitives.ReadUInt16LittleEndian(_input.Take(2))); break;
                case 'G': _stack.Add(BinaryPrimitives.ReadDoubleBigEndian(_input.Take(8))); break;
                case (char)0x8a: _stack.Add(_input.Number(_input.Byte())); break;
                case (char)0x8b: _stack.Add(_input.Number(_input.Length(4))); break;
                case 'X': _stack.Add(_input.Text(_input.Length(4))); break;
                case (char)0x8c: _stack.Add(_input.Text(_input.Byte())); break;
                case (char)0x8d: _stack.Add(_input.Text(_input.Length(8))); break;
                // Texts of Python 2, which has no other for the names of tensors.
                case 'T': _stack.Add(Encoding.Latin1.GetString(_input.Take(_input.Length(4)))); break;
                case 'U': _stack.Add(Encoding.Latin1.GetString(_input.Take(_input.Byte()))); break;
                case 'B': _stack.Add(_input.Take(_input.Length(4)).ToArray()); break;
                case 'C': _stack.Add(_input.Take(_input.Byte()).ToArray()); break;
                case (char)0x8e: _stack.Add(_input.Take(_input.Length(8)).ToArray()); break;
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
                case 'q': Memoize(_input.Byte()); break;
                case 'r': Memoize(BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4))); break;
                case (char)0x94: Memoize((uint)_memo.Count); break;
                case 'h': Recall(_input.Byte()); break;
                case 'j': Recall(BinaryPrimitives.ReadUInt32LittleEndian(_input.Take(4))); break;
                case 'c': _stack.Add(PickleAllowList.Find(_input.Line(), _input.Line(), fault)); break;
                case (char)0x93: // STACK_GLOBAL
                    object? name = Pop(), module = Pop();
                    _stack.Add(PickleAllowList.Find(module as string ?? "", name as string ?? "", fault));
                    break;
                case 'R': // REDUCE
                    object? arguments = Pop(), callable = Pop();
                    _stack.Add(Reduce(callable as PickleGlobal, arguments as object?[]));
                    break;
                case (char)0x81: // NEWOBJ
                    object? none = Pop(), type = Pop();
                    _stack.Add(type is PickleGlobal global && PickleAllowList.IsScript(global.Module)
                            && none is object?[] { Length: 0 }
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

    private object? Reduce(PickleGlobal? callable, object?[]? arguments)
    {
        object?[] given = arguments ?? throw Damaged("a call without arguments");
        switch (callable?.Name)
        {
            case "_rebuild_tensor" or "_rebuild_tensor_v2"
                when given is [PickleStorage storage, long offset, object?[] shape, object?[] strides, ..]:
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
            || PickleAllowList.StorageType(type.Name) is not { } element || elements < 0)
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

    private InputException Damaged(string what) => _input.Damaged(what);
}
