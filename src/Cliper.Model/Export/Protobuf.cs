using Google.Protobuf;

namespace Cliper.Model.Export;

/// <summary>Writes messages of protobuf's wire format, field by field.</summary>
internal static class Protobuf
{
    /// <summary>The bytes of a message.</summary>
    public static byte[] Message(Action<CodedOutputStream> write)
    {
        using var memory = new MemoryStream();
        using (var writer = new CodedOutputStream(memory, leaveOpen: true))
            write(writer);
        return memory.ToArray();
    }

    /// <summary>A field that is a whole number.</summary>
    public static void Put(this CodedOutputStream writer, int field, long value)
    {
        writer.WriteTag(field, WireFormat.WireType.Varint);
        writer.WriteInt64(value);
    }

    /// <summary>A field that is a text.</summary>
    public static void Put(this CodedOutputStream writer, int field, string value)
    {
        writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
        writer.WriteString(value);
    }

    /// <summary>A field that is a message, or bytes.</summary>
    public static void Put(this CodedOutputStream writer, int field, byte[] value)
    {
        writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
        writer.WriteBytes(UnsafeByteOperations.UnsafeWrap(value));
    }

    /// <summary>Begins a field whose content is written by somebody else.</summary>
    public static void PutHead(this CodedOutputStream writer, int field, long length)
    {
        writer.WriteTag(field, WireFormat.WireType.LengthDelimited);
        writer.WriteUInt64((ulong)length);
    }

    /// <summary>Bytes of a field with its head.</summary>
    public static long LengthOf(int field, long content) => CodedOutputStream.ComputeTagSize(field)
        + CodedOutputStream.ComputeUInt64Size((ulong)content) + content;
}
