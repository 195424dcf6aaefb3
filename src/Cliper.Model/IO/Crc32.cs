using System.Buffers.Binary;

namespace Cliper.Model.IO;

/// <summary>The checksum of zip archives: CRC-32 of polynomial 0xEDB88320 (reflected), eight bytes at a time.</summary>
internal struct Crc32
{
    private const uint Polynomial = 0xEDB88320;
    private const int Slices = 8;

    private static readonly uint[] Table = MakeTable();

    private uint _state;

    /// <summary>The checksum of all that was appended.</summary>
    public readonly uint Value => _state;

    /// <summary>Appends bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        uint crc = ~_state;
        ReadOnlySpan<uint> table = Table;
        for (; bytes.Length >= Slices; bytes = bytes[Slices..])
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = table[0x700 + (int)(low & 255)] ^ table[0x600 + (int)(low >> 8 & 255)]
                ^ table[0x500 + (int)(low >> 16 & 255)] ^ table[0x400 + (int)(low >> 24)]
                ^ table[0x300 + (int)(high & 255)] ^ table[0x200 + (int)(high >> 8 & 255)]
                ^ table[0x100 + (int)(high >> 16 & 255)] ^ table[(int)(high >> 24)];
        }
        foreach (byte value in bytes)
            crc = crc >> 8 ^ table[(int)((crc ^ value) & 255)];
        _state = ~crc;
    }

    // Row s holds the effect of a byte on the checksum when s more bytes follow it.
    private static uint[] MakeTable()
    {
        var table = new uint[Slices * 256];
        for (uint value = 0; value < 256; value++)
        {
            uint crc = value;
            for (int bit = 0; bit < 8; bit++)
                crc = crc >> 1 ^ (Polynomial & (0 - (crc & 1)));
            table[value] = crc;
        }
        for (int i = 256; i < table.Length; i++)
            table[i] = table[i - 256] >> 8 ^ table[table[i - 256] & 255];
        return table;
    }
}
