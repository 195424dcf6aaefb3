using System.Text;

namespace Cliper.Model.Text;

/// <summary>
/// Makes a text plain as ftfy's fix_text does, which OpenAI's tokenizer begins with: HTML's references, ligatures, full
/// and half width, curled quotes, line breaks and control characters, and then NFC, until nothing changes. Its repair
/// of text that was decoded wrongly (mojibake) is left out, because it guesses.
/// </summary>
internal static class TextFixer
{
    private const char Escape = '\u001b';

    // Ligatures and digraphs of Latin letters; ftfy leaves those of other scripts.
    private static readonly Dictionary<char, string> Ligatures = new()
    {
        ['Ĳ'] = "IJ",
        ['ĳ'] = "ij",
        ['ŉ'] = "ʼn",
        ['Ǳ'] = "DZ",
        ['ǲ'] = "Dz",
        ['ǳ'] = "dz",
        ['Ǆ'] = "DŽ",
        ['ǅ'] = "Dž",
        ['ǆ'] = "dž",
        ['Ǉ'] = "LJ",
        ['ǈ'] = "Lj",
        ['ǉ'] = "lj",
        ['Ǌ'] = "NJ",
        ['ǋ'] = "Nj",
        ['ǌ'] = "nj",
        ['ﬀ'] = "ff",
        ['ﬁ'] = "fi",
        ['ﬂ'] = "fl",
        ['ﬃ'] = "ffi",
        ['ﬄ'] = "ffl",
        ['ﬅ'] = "ſt",
        ['ﬆ'] = "st",
    };

    /// <summary>The text made plain. References of HTML stay from the first line on that has a "&lt;": it may be
    /// HTML.</summary>
    public static string Fix(string text)
    {
        var result = new StringBuilder(text.Length);
        bool unescapes = true;
        for (int start = 0; start < text.Length;)
        {
            int end = text.IndexOf('\n', start) + 1;
            string line = text[start..(end == 0 ? text.Length : end)];
            unescapes &= !line.Contains('<');
            result.Append(FixLine(line, unescapes));
            start += line.Length;
        }
        return result.ToString();
    }

    private static string FixLine(string text, bool unescapes)
    {
        while (true)
        {
            string before = text;
            if (unescapes)
                text = HtmlEntities.UnescapeWhole(text);
            text = LineBreaks(Characters(text));
            // An escape sequence is whole only now; its letters are removed with it, other control characters alone.
            text = WithoutControls(WithoutEscapes(text));
            text = UnicodeNormalizer.Normalize(text, NormalizationForm.FormC);
            if (text == before)
                return text;
        }
    }

    /// <summary>Replaces single characters: C1 controls, ligatures, width, quotes.</summary>
    private static string Characters(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char c in text)
            if (c is >= '\u0080' and <= '\u009f')
                result.Append(HtmlEntities.OfControl(c));
            else if (Ligatures.TryGetValue(c, out string? letters))
                result.Append(letters);
            else if (c is >= '\uff01' and <= '\uffef')
                result.Append(UnicodeNormalizer.Normalize(c.ToString(), NormalizationForm.FormKC));
            else
                result.Append(c == '\u3000' ? ' ' : c);
        return string.Create(result.Length, result, static (target, source) =>
        {
            source.CopyTo(0, target, source.Length);
            foreach (ref char c in target)
                c = c switch
                {
                    '\u02bc' or >= '\u2018' and <= '\u201b' => '\'',
                    >= '\u201c' and <= '\u201f' => '"',
                    _ => c,
                };
        });
    }

    private static string LineBreaks(string text) => text.Replace("\r\n", "\n", StringComparison.Ordinal)
        .Replace('\r', '\n').Replace('\u2028', '\n').Replace('\u2029', '\n').Replace('\u0085', '\n');

    /// <summary>Removes a terminal's escape sequences: ESC, "[", numbers and semicolons, a letter.</summary>
    private static string WithoutEscapes(string text)
    {
        for (int at = text.IndexOf(Escape); at >= 0; at = text.IndexOf(Escape, at))
        {
            int end = at + 2;
            while (end < text.Length && (char.IsDigit(text[end]) || text[end] == ';'))
                end++;
            bool isSequence = at + 1 < text.Length && text[at + 1] == '[' && end < text.Length
                && char.IsAsciiLetter(text[end]);
            if (isSequence)
                text = text.Remove(at, end + 1 - at);
            else
                at++;
            if (at >= text.Length)
                break;
        }
        return text;
    }

    private static string WithoutControls(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (char c in text)
            if (c is not (<= '\u0008' or '\u000b' or >= '\u000e' and <= '\u001f' or '\u007f'
                or >= '\u206a' and <= '\u206f' or '\ufeff' or >= '\ufff9' and <= '\ufffc'))
                result.Append(c);
        return result.ToString();
    }
}
