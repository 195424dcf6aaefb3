using System.Globalization;
using System.Text;

namespace Cliper.Model.Text;

/// <summary>
/// Splits a cleaned text into the words that byte-pair encoding works on, as CLIP's pattern does:
/// <c>&lt;|startoftext|&gt;|&lt;|endoftext|&gt;|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+</c>. Written
/// out rather than as a .NET regular expression, which sees characters beyond the basic plane as two symbols and not as
/// the letters they are.
/// </summary>
internal static class WordSplitter
{
    private static readonly string[] Fixed = [BpeVocabulary.Start, BpeVocabulary.End, "'s", "'t", "'re", "'ve", "'m",
        "'ll", "'d"];

    private enum Kind
    {
        Space,
        Letter,
        Digit,
        Symbol,
    }

    public static IEnumerable<string> Split(string text)
    {
        int at = 0;
        while (at < text.Length)
        {
            int length = FixedAt(text, at);
            if (length == 0)
            {
                (Kind kind, length) = Next(text, at);
                if (kind == Kind.Space)
                {
                    at += length;
                    continue;
                }
                // Letters and symbols run on; a symbol's run takes in a quotation mark or "<" as the pattern does.
                while (kind != Kind.Digit && at + length < text.Length && Next(text, at + length) is var next
                    && next.Kind == kind)
                    length += next.Length;
            }
            yield return text.Substring(at, length);
            at += length;
        }
    }

    private static int FixedAt(string text, int at)
    {
        if (text[at] is not ('\'' or '<'))
            return 0;
        foreach (string word in Fixed)
            if (string.CompareOrdinal(text, at, word, 0, word.Length) == 0)
                return word.Length;
        return 0;
    }

    private static (Kind Kind, int Length) Next(string text, int at)
    {
        // Half a surrogate pair counts as a symbol, like the replacement character that it is encoded as.
        Rune.DecodeFromUtf16(text.AsSpan(at), out Rune rune, out int length);
        return (Rune.IsWhiteSpace(rune) ? Kind.Space : Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter => Kind.Letter,
            UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber =>
                Kind.Digit,
            _ => Kind.Symbol,
        }, length);
    }
}
