namespace Cliper.Model.Images;

/// <summary>Checks that a PBM, PGM or PPM file holds all that its header promises.</summary>
internal static class NetpbmStructure
{
    private const int MaxSide = 1 << 24, MaxValue = 65535, OneByteValue = 255;

    /// <summary>
    /// Whether the file begins as one of Netpbm's six formats does: P1 to P6 and a blank or a comment.
    /// </summary>
    public static bool IsNetpbm(ReadOnlySpan<byte> encoded) =>
        encoded.Length >= 3 && encoded[0] == 'P' && encoded[1] is >= (byte)'1' and <= (byte)'6'
        && (IsBlank(encoded[2]) || encoded[2] == '#');

    /// <summary>
    /// A copy of the file whose header is right and that holds every pixel which the header promises. The digits of
    /// a plain bitmap have blanks between them, without which ImageSharp takes them for one number.</summary>
    /// <param name="encoded">The file's bytes.</param>
    /// <param name="name">Name of the image for error messages.</param>
    /// <exception cref="InputException">The header is damaged, or the file ends before its last pixel.</exception>
    public static byte[] Image(ReadOnlySpan<byte> encoded, string name)
    {
        int kind = encoded[1] - '0', at = 2;
        bool isBitmap = kind is 1 or 4, isPlain = kind <= 3;
        int width = Number(encoded, ref at), height = Number(encoded, ref at), most = isBitmap ? 1
            : Number(encoded, ref at);
        if (width is < 1 or > MaxSide || height is < 1 or > MaxSide || most is < 1 or > MaxValue)
            throw new InputException(
                $"{name}: the header of the PBM, PGM or PPM picture is damaged; replace or remove it");
        SkiaImageCodec.CheckSize(width, height, name);
        int channels = kind is 3 or 6 ? 3 : 1;
        long row = kind == 4 ? (width + 7) / 8 : (long)width * channels * (isPlain || most <= OneByteValue ? 1 : 2);
        // One blank parts the header from what follows.
        ReadOnlySpan<byte> raster = encoded[Math.Min(encoded.Length, at + 1)..];
        if (isPlain ? !HoldsNumbers(raster, row * height, isBitmap, most) : raster.Length < row * height)
            throw new InputException($"{name}: the picture is truncated or damaged; replace or remove it");
        if (kind != 1)
            return encoded.ToArray();
        List<byte> spaced = [.. encoded[..at]];
        foreach (byte digit in raster)
            spaced.AddRange((byte)' ', digit);
        return [.. spaced];
    }

    /// <summary>The next number of the header, past blanks and comments; -1 where there is none.</summary>
    private static int Number(ReadOnlySpan<byte> encoded, ref int at)
    {
        while (at < encoded.Length && (IsBlank(encoded[at]) || encoded[at] == '#'))
        {
            if (encoded[at] == '#')
                while (at < encoded.Length && encoded[at] is not ((byte)'\n' or (byte)'\r'))
                    at++;
            else
                at++;
        }
        int value = -1;
        for (; at < encoded.Length && IsDigit(encoded[at]); at++)
            value = Math.Min(MaxSide + 1, Math.Max(0, value) * 10 + encoded[at] - '0');
        return value;
    }

    /// <summary>Whether plain text holds as many numbers, none above the largest. The digits of a bitmap need no blanks
    /// between them.</summary>
    private static bool HoldsNumbers(ReadOnlySpan<byte> text, long wanted, bool isBitmap, int most)
    {
        long found = 0;
        for (int at = 0; at < text.Length && found < wanted;)
        {
            if (IsBlank(text[at]))
            {
                at++;
                continue;
            }
            int value = 0, digits = 0;
            for (; at < text.Length && IsDigit(text[at]) && value <= most && (digits == 0 || !isBitmap); at++, digits++)
                value = value * 10 + text[at] - '0';
            if (digits == 0 || value > most)
                return false;
            found++;
        }
        return found == wanted;
    }

    private static bool IsBlank(byte value) => value is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\v'
        or (byte)'\f' or (byte)'\r';

    private static bool IsDigit(byte value) => value is >= (byte)'0' and <= (byte)'9';
}
