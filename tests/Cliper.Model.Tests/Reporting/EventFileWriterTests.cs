using System.Buffers.Binary;
using System.Text;
using Cliper.Model.Reporting;
using Google.Protobuf;

namespace Cliper.Model.Tests.Reporting;

public class EventFileWriterTests
{
    private static readonly DateTimeOffset Time = DateTimeOffset.UnixEpoch.AddSeconds(1.5);

    /// <summary>Vectors of RFC 3720, appendix B.4, and the customary check value of "123456789".</summary>
    [Test]
    public void Crc32CHasTheValuesOfItsStandard()
    {
        byte[] rising = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.That(EventFileWriter.Crc32C(new byte[32]), Is.EqualTo(0x8A9136AA));
        Assert.That(EventFileWriter.Crc32C(Enumerable.Repeat((byte)0xFF, 32).ToArray()), Is.EqualTo(0x62A8AB43));
        Assert.That(EventFileWriter.Crc32C(rising), Is.EqualTo(0x46DD794E));
        Assert.That(EventFileWriter.Crc32C(Encoding.ASCII.GetBytes("123456789")), Is.EqualTo(0xE3069283));
        Assert.That(EventFileWriter.Crc32C([]), Is.Zero);
    }

    /// <summary>
    /// The mask, worked out by hand: 0xE3069283 rotated right by 15 bits is 0x2507C60D; plus 0xA282EAD8.
    /// </summary>
    [Test]
    public void TheMaskRotatesAndAdds() =>
        Assert.That(EventFileWriter.MaskedCrc(Encoding.ASCII.GetBytes("123456789")), Is.EqualTo(0xC78AB0E5));

    [Test]
    public void AFileBeginsWithItsVersion()
    {
        byte[] file = Write([]);
        // Event { wall_time = 1.5, file_version = "brain.Event:2" }: 9 bytes, then tag 0x1A, length 13 and the text.
        byte[] payload = [0x09, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0x1A, 13, .. "brain.Event:2"u8];
        Assert.That(BinaryPrimitives.ReadUInt64LittleEndian(file), Is.EqualTo((ulong)payload.Length));
        Assert.That(file.AsSpan(12, payload.Length).ToArray(), Is.EqualTo(payload));
        Assert.That(file, Has.Length.EqualTo(12 + payload.Length + 4));
    }

    [Test]
    public void ScalarsReadBackAsTheyWereWritten()
    {
        (long, string, float)[] written =
        [
            (1, "stage1/loss", 2.5f), (1, "stage1/lr", 0.01f), (300, "stage2/лосс", float.NaN),
            (long.MaxValue, "", -0f),
        ];
        Assert.That(Read(Write(written)), Is.EqualTo(written));
    }

    [Test]
    public void ADamagedByteIsFound()
    {
        byte[] file = Write([(1, "loss", 1f)]);
        file[^10] ^= 1;
        Assert.That(() => Read(file), Throws.InstanceOf<InvalidDataException>());
    }

    private static byte[] Write((long Step, string Tag, float Value)[] scalars)
    {
        var memory = new MemoryStream();
        using (var writer = new EventFileWriter(memory, Time))
            foreach (var step in scalars.GroupBy(scalar => scalar.Step))
                writer.Scalars(step.Key, Time, step.Select(scalar => (scalar.Tag, (double)scalar.Value)));
        return memory.ToArray();
    }

    /// <summary>Reads an event file by the formats' descriptions.</summary>
    internal static List<(long Step, string Tag, float Value)> Read(ReadOnlySpan<byte> file)
    {
        var scalars = new List<(long, string, float)>();
        while (file.Length > 0)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
            byte[] payload = file.Slice(12, length).ToArray();
            if (BinaryPrimitives.ReadUInt32LittleEndian(file[8..]) != EventFileWriter.MaskedCrc(file[..8])
                || BinaryPrimitives.ReadUInt32LittleEndian(file[(12 + length)..]) != EventFileWriter.MaskedCrc(payload))
                throw new InvalidDataException("checksum");
            long step = 0;
            foreach ((int field, object value) in Fields(payload))
            {
                if (field == 2)
                    step = (long)value;
                if (field != 5)
                    continue;
                foreach ((_, object item) in Fields((byte[])value))
                {
                    Dictionary<int, object> parts = Fields((byte[])item).ToDictionary(part => part.Field, part =>
                        part.Value);
                    scalars.Add((step, Encoding.UTF8.GetString((byte[])parts[1]), (float)parts[2]));
                }
            }
            file = file[(12 + length + 4)..];
        }
        return scalars;
    }

    private static List<(int Field, object Value)> Fields(byte[] message)
    {
        var fields = new List<(int, object)>();
        var input = new CodedInputStream(message);
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
            fields.Add((WireFormat.GetTagFieldNumber(tag), WireFormat.GetTagWireType(tag) switch
            {
                WireFormat.WireType.Varint => input.ReadInt64(),
                WireFormat.WireType.Fixed32 => input.ReadFloat(),
                WireFormat.WireType.Fixed64 => input.ReadDouble(),
                _ => input.ReadBytes().ToByteArray(),
            }));
        return fields;
    }
}
