using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Cliper.Model.IO;

namespace Cliper.Model.DataSets;

/// <summary>Single numbers in NumPy's .npy files.</summary>
internal static partial class Npy
{
    /// <summary>Larger files hold no single number.</summary>
    private const int MostBytes = 64 * 1024;

    /// <summary>
    /// The number in a file of one element, whatever its type: integer, float, or text as AffectNet has it.
    /// </summary>
    /// <exception cref="InputException">No such file, or of another kind.</exception>
    public static double ReadNumber(string path)
    {
        if (new FileInfo(path) is not { Exists: true } file)
            throw new InputException($"{path}: no such file");
        return file.Length <= MostBytes ? Parse(RegularFile.ReadBytes(path), path)
            : throw Refuse(path, $"{file.Length} bytes");
    }

    /// <summary>Reads a file's bytes; <paramref name="path"/> names them in errors.</summary>
    internal static double Parse(ReadOnlySpan<byte> bytes, string path)
    {
        if (bytes.Length < 12 || bytes[0] != 0x93 || !bytes[1..6].SequenceEqual("NUMPY"u8))
            throw Refuse(path, "no NumPy header");
        int prefix = bytes[6] == 1 ? 10 : 12;
        long header = bytes[6] == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(bytes[8..])
            : BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
        if (header > bytes.Length - prefix)
            throw Refuse(path, "a header longer than the file");
        string text = Encoding.Latin1.GetString(bytes.Slice(prefix, (int)header));
        Match type = Descr().Match(text), shape = Shape().Match(text);
        if (!type.Success || !shape.Success || shape.Groups[1].Value.Replace(" ", "") is not ("" or "1," or "1"))
            throw Refuse(path, $"the header '{ForeignText.Short(text.Trim())}'");
        ReadOnlySpan<byte> data = bytes[(prefix + (int)header)..];
        if (!int.TryParse(type.Groups[2].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out int size))
            throw Refuse(path, $"the type {type.Groups[1].Value}");
        bool isText = type.Groups[1].Value == "U";
        if (data.Length != (isText ? 4L : 1L) * size)
            throw Refuse(path, $"{data.Length} bytes of data");
        return (type.Groups[1].Value, size) switch
        {
            ("i", 8) => BinaryPrimitives.ReadInt64LittleEndian(data),
            ("i", 4) => BinaryPrimitives.ReadInt32LittleEndian(data),
            ("i", 2) => BinaryPrimitives.ReadInt16LittleEndian(data),
            ("u" or "i", 1) => data[0],
            ("u", 8) => BinaryPrimitives.ReadUInt64LittleEndian(data),
            ("u", 4) => BinaryPrimitives.ReadUInt32LittleEndian(data),
            ("f", 8) => BinaryPrimitives.ReadDoubleLittleEndian(data),
            ("f", 4) => BinaryPrimitives.ReadSingleLittleEndian(data),
            ("U", _) => OfText(Encoding.UTF32.GetString(data)),
            ("S", _) => OfText(Encoding.Latin1.GetString(data)),
            _ => throw Refuse(path, $"the type {type.Value}"),
        };

        double OfText(string text) =>
            double.TryParse(text.TrimEnd('\0').Trim(), NumberStyles.Float, CultureInfo.InvariantCulture,
            out double number) ? number
                : throw Refuse(path, $"the text '{ForeignText.Short(text)}'");
    }

    private static InputException Refuse(string path, string found) =>
        new($"{path}: expected a .npy file of one number, found {found}; get the file again");

    [GeneratedRegex("'descr': *'[<|=]([iufUS])([0-9]{1,4})'")]
    private static partial Regex Descr();

    [GeneratedRegex(@"'shape': *\(([0-9, ]*)\)")]
    private static partial Regex Shape();
}
