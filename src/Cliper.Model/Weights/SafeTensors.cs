using System.Buffers.Binary;
using System.Text.Json;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// A safetensors file, read a piece at a time: 8 bytes of header length (little-endian), a JSON header
/// {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, …, "__metadata__": {"key": "text"}}, then
/// the tensors' bytes, offsets counted from the header's end. Read strictly: the tensors cover the bytes without a gap
/// or an overlap, each as long as its type and shape say, and no name occurs twice.
/// </summary>
public sealed class SafeTensors : TensorSource
{
    /// <summary>Name of the file in a folder of Hugging Face's layout.</summary>
    public const string DefaultName = "model.safetensors";

    internal const string MetadataKey = "__metadata__";
    internal const int LengthBytes = 8;

    private const long LongestHeader = 100_000_000;
    private const int MostAxes = 16;
    private const string Remedy = "the file is damaged or was made by a faulty program: get or write it anew";

    private readonly Dictionary<string, TensorEntry> _tensors = [];
    private readonly Dictionary<string, long> _begins = [];
    private readonly Dictionary<string, string> _metadata = [];
    private readonly ReadOnlyFile _file;
    private readonly long _dataStart;

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="InputException">It is not there, not readable, or breaks a rule of the format.</exception>
    public SafeTensors(string path) : base(path)
    {
        _file = new ReadOnlyFile(path);
        try
        {
            if (_file.Length < LengthBytes + 2)
                throw Damaged($"expected at least {LengthBytes + 2} bytes, found {_file.Length}");
            using FileBytes start = _file.ReadPiece(0, LengthBytes);
            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(start.Span);
            if (headerLength > LongestHeader)
                throw Damaged($"the header's length is {headerLength}, expected at most {LongestHeader}");
            if ((long)headerLength > _file.Length - LengthBytes)
                throw Damaged($"the header's length is {headerLength}, but the file has only {_file.Length} bytes");
            _dataStart = LengthBytes + (long)headerLength;
            using FileBytes header = _file.ReadPiece(LengthBytes, (int)headerLength);
            ReadHeader(header.Span, _file.Length - _dataStart);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Format => "safetensors";

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorEntry> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _metadata;

    internal override FileBytes ReadPiece(TensorEntry entry, long offset, int length) =>
        _file.ReadPiece(_dataStart + _begins[entry.Name] + offset, length);

    private void ReadHeader(ReadOnlySpan<byte> header, long dataLength)
    {
        var spans = new List<(long Begin, long End, string Name)>();
        try
        {
            var reader = new Utf8JsonReader(header);
            Expect(ref reader, JsonTokenType.StartObject, "the header");
            bool metadata = false;
            while (Next(ref reader, "the header") == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                if (name == MetadataKey)
                {
                    if (metadata)
                        throw Damaged($"{MetadataKey} occurs twice");
                    metadata = true;
                    ReadMetadata(ref reader);
                    continue;
                }
                (TensorEntry entry, long begin, long end) = ReadEntry(ref reader, name);
                if (!_tensors.TryAdd(name, entry))
                    throw Damaged($"tensor {ForeignText.Quote(name)} occurs twice");
                _begins[name] = begin;
                spans.Add((begin, end, name));
            }
            if (reader.Read())
                throw Damaged("something follows the header's object");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            // Utf8JsonReader reports a string that is not valid UTF-8 as an invalid operation.
            throw Damaged($"the header is not valid JSON ({e.Message.Split(Environment.NewLine)[0]})", e);
        }
        CheckCoverage(spans, dataLength);
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        Expect(ref reader, JsonTokenType.StartObject, MetadataKey);
        while (Next(ref reader, MetadataKey) == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            Expect(ref reader, JsonTokenType.String, MetadataKey);
            if (!_metadata.TryAdd(key, reader.GetString()!))
                throw Damaged($"{MetadataKey} has {ForeignText.Quote(key)} twice");
        }
    }

    private (TensorEntry Entry, long Begin, long End) ReadEntry(ref Utf8JsonReader reader, string name)
    {
        string what = $"tensor {ForeignText.Quote(name)}";
        TensorType? type = null;
        List<long>? shape = null, offsets = null;
        Expect(ref reader, JsonTokenType.StartObject, what);
        while (Next(ref reader, what) == JsonTokenType.PropertyName)
        {
            string field = reader.GetString()!;
            if (field == "dtype" && type is null)
            {
                Expect(ref reader, JsonTokenType.String, $"{what}: dtype");
                string text = reader.GetString()!;
                type = TensorTypes.TryParse(text, out TensorType parsed) ? parsed
                    : throw Damaged($"{what}: dtype {ForeignText.Quote(text)}, expected one of " +
                        string.Join(", ", Enum.GetValues<TensorType>().Select(TensorTypes.SafeTensorsName)));
            }
            else if (field == "shape" && shape is null)
                shape = ReadNumbers(ref reader, $"{what}: shape");
            else if (field == "data_offsets" && offsets is null)
                offsets = ReadNumbers(ref reader, $"{what}: data_offsets");
            else
                throw Damaged($"{what}: unexpected or repeated field {ForeignText.Quote(field)}");
        }
        if (type is null || shape is null || offsets is not { Count: 2 })
            throw Damaged($"{what}: expected dtype, shape and two data_offsets");
        var entry = new TensorEntry(name, type.Value, shape);
        long bytes;
        try
        {
            bytes = entry.Bytes;
        }
        catch (OverflowException)
        {
            throw Damaged($"{what}: shape {TensorEntry.ShapeText(shape)} has more elements than any file can hold");
        }
        // Both offsets are known to be at least zero, so that the difference cannot overflow.
        if (offsets[1] - offsets[0] != bytes)
            throw Damaged($"{what}: {entry} takes {bytes} bytes, but its data_offsets are [{offsets[0]}, "
                + $"{offsets[1]}]");
        return (entry, offsets[0], offsets[1]);
    }

    private List<long> ReadNumbers(ref Utf8JsonReader reader, string what)
    {
        var numbers = new List<long>();
        Expect(ref reader, JsonTokenType.StartArray, what);
        while (Next(ref reader, what) == JsonTokenType.Number)
        {
            if (!reader.TryGetInt64(out long number) || number < 0)
                throw Damaged($"{what}: expected whole numbers from 0 on");
            if (numbers.Count == MostAxes)
                throw Damaged($"{what}: more than {MostAxes} numbers");
            numbers.Add(number);
        }
        return reader.TokenType == JsonTokenType.EndArray ? numbers
            : throw Damaged($"{what}: expected whole numbers from 0 on");
    }

    private void CheckCoverage(List<(long Begin, long End, string Name)> spans, long dataLength)
    {
        spans.Sort();
        long at = 0;
        foreach ((long begin, long end, string name) in spans)
        {
            if (end > dataLength)
                throw Damaged($"tensor {ForeignText.Quote(name)} ends at byte {end} of the data, but there are only " +
                    $"{dataLength} (a file that was cut short?)");
            if (begin != at)
                throw Damaged($"tensor {ForeignText.Quote(name)} begins at byte {begin} of the data, expected {at}: " +
                    (begin < at ? "it overlaps another" : "there is a gap"));
            at = end;
        }
        if (at != dataLength)
            throw Damaged($"the tensors end at byte {at} of the data, but there are {dataLength}");
    }

    private void Expect(ref Utf8JsonReader reader, JsonTokenType token, string what)
    {
        if (Next(ref reader, what) != token)
            throw Damaged($"{what}: expected {Say(token)}, found {Say(reader.TokenType)}");
    }

    private JsonTokenType Next(ref Utf8JsonReader reader, string what) =>
        reader.Read() ? reader.TokenType : throw Damaged($"{what}: the header ends too early");

    private static string Say(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "a list",
        JsonTokenType.String => "text",
        JsonTokenType.Number => "a number",
        _ => "something else",
    };

    private InputException Damaged(string fault, Exception? inner = null) =>
        new($"{Path}: not a sound safetensors file: {fault}; {Remedy}", inner);

    /// <inheritdoc/>
    public override void Dispose() => _file.Dispose();
}
