using System.Globalization;
using System.Text;

namespace Cliper.Model.Text;

/// <summary>
/// Resolves the character references of HTML 5 (section 13.2.5.72 and on), as Python's html.unescape does, and as ftfy
/// does: there only whole ones with a semicolon, and some in capitals.
/// </summary>
internal static class HtmlEntities
{
    private const int LongestName = 32, LongestFtfyName = 24;

    // HTML 5 reads the numbers 0x80 to 0x9F as Windows-1252, where that has a character.
    private const string Windows1252 =
        "\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f"
        + "\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178";

    private static readonly Lazy<(Dictionary<string, string> Whole, Dictionary<string, string> Legacy,
        Dictionary<string, string> Capitals)> Names = new(ReadNames);

    /// <summary>The text with every reference resolved; one without a semicolon too, where HTML 5 knows it
    /// so.</summary>
    public static string Unescape(string text)
    {
        if (!text.Contains('&'))
            return text;
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = 0;
            string? value = text[at] == '&' ? Resolve(text.AsSpan(at), out length) : null;
            result.Append(value ?? text[at].ToString());
            at += value is null ? 1 : length;
        }
        return result.ToString();
    }

    /// <summary>The text with references resolved that end in a semicolon, as ftfy does.</summary>
    public static string UnescapeWhole(string text)
    {
        if (!text.Contains('&'))
            return text;
        var result = new StringBuilder(text.Length);
        for (int at = 0; at < text.Length;)
        {
            int length = text[at] == '&' ? WholeLength(text.AsSpan(at)) : 0;
            string reference = text.Substring(at, Math.Max(1, length));
            result.Append(length == 0 ? reference : reference[1] == '#' ? Whole(Unescape(reference), reference)
                : Names.Value.Whole.GetValueOrDefault(reference[1..^1])
                ?? Names.Value.Capitals.GetValueOrDefault(reference[1..^1], reference));
            at += reference.Length;
        }
        return result.ToString();

        // A part that stays would be a letter too many in the number.
        static string Whole(string value, string reference) => value.Contains(';') ? reference : value;
    }

    /// <summary>The character that byte 0x80 to 0x9F is in Windows-1252; the control character itself where it has
    /// none.</summary>
    public static char OfControl(char control) => Windows1252[control - 0x80];

    /// <summary>Length of "&amp;name;" or "&amp;#number;" at the beginning; 0 where there is none.</summary>
    private static int WholeLength(ReadOnlySpan<char> text)
    {
        int start = text.Length > 1 && text[1] == '#' ? 2 : 1, end = start;
        while (end < text.Length && end - start <= LongestFtfyName && char.IsAsciiLetterOrDigit(text[end]))
            end++;
        return end > start && end - start <= LongestFtfyName && end < text.Length && text[end] == ';' ? end + 1 : 0;
    }

    private static string? Resolve(ReadOnlySpan<char> text, out int length)
    {
        if (text.Length > 1 && text[1] == '#')
            return Number(text, out length);
        length = 1;
        while (length < text.Length && length <= LongestName && text[length] is not ('\t' or '\n' or '\f' or ' ' or '<'
            or '&' or '#' or ';'))
            length++;
        string name = text[1..length].ToString();
        if (length < text.Length && text[length] == ';' && length > 1
            && Names.Value.Whole.TryGetValue(name, out string? value))
        {
            length++;
            return value;
        }
        // The longest beginning that is known without a semicolon; what follows stays.
        for (int end = name.Length; end > 1; end--)
            if (Names.Value.Legacy.TryGetValue(name[..end], out value))
            {
                length = 1 + end;
                return value;
            }
        return null;
    }

    private static string? Number(ReadOnlySpan<char> text, out int length)
    {
        bool isHex = text.Length > 2 && text[2] is 'x' or 'X';
        int start = isHex ? 3 : 2;
        length = start;
        long code = 0;
        for (; length < text.Length && (isHex ? char.IsAsciiHexDigit(text[length]) : char.IsAsciiDigit(text[length]));
            length++)
            code = Math.Min(int.MaxValue, code * (isHex ? 16 : 10)
                + int.Parse(text.Slice(length, 1), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
        if (length == start)
            return null;
        if (length < text.Length && text[length] == ';')
            length++;
        return code switch
        {
            0 or >= 0xD800 and <= 0xDFFF or > 0x10FFFF => "\uFFFD",
            '\r' => "\r",
            >= 0x80 and <= 0x9F => OfControl((char)code).ToString(),
            // Control characters and those that are none have no meaning.
            >= 1 and <= 8 or 11 or >= 14 and <= 31 or 0x7F or >= 0xFDD0 and <= 0xFDEF => "",
            _ when (code & 0xFFFE) == 0xFFFE => "",
            _ => new Rune((int)code).ToString(),
        };
    }

    private static (Dictionary<string, string>, Dictionary<string, string>, Dictionary<string, string>) ReadNames()
    {
        Dictionary<string, string> whole = [], legacy = [], capitals = [];
        foreach (string line in TextTables.Lines("html-entities.txt"))
        {
            string[] fields = line.Split('\t');
            string value = string.Concat(TextTables.Codes(fields[1]).Select(code => new Rune(code).ToString()));
            whole.Add(fields[0], value);
            if (fields.Length > 2)
                legacy.Add(fields[0], value);
        }
        // ftfy knows lower-case names in capitals too, unless HTML knows these, or a beginning of them by itself.
        foreach ((string name, string value) in whole)
            if (name.ToUpperInvariant() is var upper && !name.Any(char.IsAsciiLetterUpper) && !whole.ContainsKey(upper)
                && !Enumerable.Range(1, upper.Length).Any(length => legacy.ContainsKey(upper[..length])))
                capitals.Add(upper, Capital(value));
        return (whole, legacy, capitals);
    }

    /// <summary>A value in capitals by Unicode's full mapping, in which some characters become several.</summary>
    private static string Capital(string value) => value switch
    {
        "\u00DF" => "SS",
        "\u0131" => "I",
        "\u0149" => "\u02BCN",
        "\uFB00" => "FF",
        "\uFB01" => "FI",
        "\uFB02" => "FL",
        "\uFB03" => "FFI",
        "\uFB04" => "FFL",
        _ => string.Concat(value.EnumerateRunes().Select(Rune.ToUpperInvariant)),
    };
}
