using System.Buffers.Binary;
using System.Numerics;
using Google.Protobuf;

namespace Cliper.Model.Reporting;

/// <summary>
/// Scalars for TensorBoard: a file of TFRecords (length, masked CRC32C of the length, payload, masked CRC32C of the
/// payload; little-endian), each payload a protobuf Event { double wall_time = 1; int64 step = 2; string file_version
/// = 3; Summary summary = 5 } with Summary { repeated Value value = 1 } and Value { string tag = 1; float simple_value
/// = 2 }.
/// </summary>
internal sealed class EventFileWriter : IDisposable
{
    private const string FileVersion = "brain.Event:2";
    private const uint CrcMask = 0xA282EAD8;

    private const int WallTime = 1;
    private const int Step = 2;
    private const int Version = 3;
    private const int SummaryField = 5;
    private const int ValueField = 1;
    private const int Tag = 1;
    private const int SimpleValue = 2;

    private readonly Stream _stream;

    /// <summary>Begins a file.</summary>
    /// <param name="stream">Where to; closed with the writer.</param>
    /// <param name="time">When the file begins.</param>
    public EventFileWriter(Stream stream, DateTimeOffset time)
    {
        _stream = stream;
        Write(Encode(output =>
        {
            WriteTime(output, time);
            output.WriteTag(Version, WireFormat.WireType.LengthDelimited);
            output.WriteString(FileVersion);
        }));
    }

    /// <summary>Name of an event file in which TensorBoard looks for scalars.</summary>
    public static string FileName(DateTimeOffset time) => $"events.out.tfevents.{time.ToUnixTimeMilliseconds()}.cliper";

    /// <summary>Writes one event with a value for each tag, and flushes it.</summary>
    public void Scalars(long step, DateTimeOffset time, IEnumerable<(string Tag, double Value)> values)
    {
        byte[] summary = Encode(output =>
        {
            foreach ((string tag, double value) in values)
            {
                byte[] encoded = Encode(inner =>
                {
                    inner.WriteTag(Tag, WireFormat.WireType.LengthDelimited);
                    inner.WriteString(tag);
                    inner.WriteTag(SimpleValue, WireFormat.WireType.Fixed32);
                    inner.WriteFloat((float)value);
                });
                output.WriteTag(ValueField, WireFormat.WireType.LengthDelimited);
                output.WriteBytes(ByteString.CopyFrom(encoded));
            }
        });
        Write(Encode(output =>
        {
            WriteTime(output, time);
            output.WriteTag(Step, WireFormat.WireType.Varint);
            output.WriteInt64(step);
            output.WriteTag(SummaryField, WireFormat.WireType.LengthDelimited);
            output.WriteBytes(ByteString.CopyFrom(summary));
        }));
    }

    /// <inheritdoc/>
    public void Dispose() => _stream.Dispose();

    /// <summary>
    /// CRC32C (Castagnoli) as TFRecords keep it: rotated and shifted, because a CRC of CRCs checks badly.
    /// </summary>
    internal static uint MaskedCrc(ReadOnlySpan<byte> bytes) => BitOperations.RotateRight(Crc32C(bytes), 15) + CrcMask;

    /// <summary>CRC32C of RFC 3720.</summary>
    internal static uint Crc32C(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }

    private static void WriteTime(CodedOutputStream output, DateTimeOffset time)
    {
        output.WriteTag(WallTime, WireFormat.WireType.Fixed64);
        output.WriteDouble((time - DateTimeOffset.UnixEpoch).TotalSeconds);
    }

    private static byte[] Encode(Action<CodedOutputStream> write)
    {
        using var memory = new MemoryStream();
        using (var output = new CodedOutputStream(memory))
            write(output);
        return memory.ToArray();
    }

    private void Write(ReadOnlySpan<byte> payload)
    {
        byte[] record = new byte[sizeof(ulong) + sizeof(uint) + payload.Length + sizeof(uint)];
        BinaryPrimitives.WriteUInt64LittleEndian(record, (ulong)payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(8), MaskedCrc(record.AsSpan(0, 8)));
        payload.CopyTo(record.AsSpan(12));
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(12 + payload.Length), MaskedCrc(payload));
        _stream.Write(record);
        _stream.Flush();
    }
}
