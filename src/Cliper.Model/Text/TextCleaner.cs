using System.Globalization;
using System.Text;

namespace Cliper.Model.Text;

/// <summary>
/// Cleans a text as OpenAI's tokenizer does first: ftfy makes it plain (<see cref="TextFixer"/>), HTML's references are
/// resolved twice, white space is removed at the ends and elsewhere becomes one space, letters become lower case.
/// </summary>
internal static class TextCleaner
{
    private const int Sigma = 'Σ', SmallSigma = 'σ', FinalSigma = 'ς', DottedCapitalI = 'İ', DotAbove = '\u0307';

    // These are no letters, but stay within a word: Unicode's Word_Break classes MidLetter, MidNumLet and Single_Quote.
    private const string MiddleOfWord = "'.:·\u0387\u055f\u05f4‘’․‧︓﹒﹕＇．：";

    public static string Clean(string text)
    {
        text = HtmlEntities.Unescape(HtmlEntities.Unescape(TextFixer.Fix(text)));
        Rune[] runes = [.. text.EnumerateRunes()];
        var cleaned = new StringBuilder(text.Length);
        bool space = false;
        for (int i = 0; i < runes.Length; i++)
        {
            if (Rune.IsWhiteSpace(runes[i]))
            {
                space = cleaned.Length > 0;
                continue;
            }
            if (space)
                cleaned.Append(' ');
            space = false;
            AppendLower(cleaned, runes, i);
        }
        return cleaned.ToString();
    }

    /// <summary>Lowers each character alone, as Hugging Face's tokenizers do: a sigma at a word's end is like any
    /// other.</summary>
    public static string Lower(string text)
    {
        var lowered = new StringBuilder(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            if (rune.Value == DottedCapitalI)
                lowered.Append('i').Append((char)DotAbove);
            else
                lowered.Append(Rune.ToLowerInvariant(rune).ToString());
        return lowered.ToString();
    }

    // Python's str.lower follows Unicode's SpecialCasing: two characters are not lowered one to one.
    private static void AppendLower(StringBuilder target, Rune[] runes, int index)
    {
        int value = runes[index].Value;
        if (value == DottedCapitalI)
            target.Append('i').Append((char)DotAbove);
        else if (value == Sigma)
            target.Append((char)(EndsWord(runes, index) ? FinalSigma : SmallSigma));
        else
            target.Append(Rune.ToLowerInvariant(runes[index]));
    }

    /// <summary>Unicode's Final_Sigma: a cased letter before, none after, what has no case being skipped.</summary>
    private static bool EndsWord(Rune[] runes, int index)
    {
        int before = index - 1, after = index + 1;
        while (before >= 0 && IsCaseIgnorable(runes[before]))
            before--;
        while (after < runes.Length && IsCaseIgnorable(runes[after]))
            after++;
        return before >= 0 && IsCased(runes[before]) && !(after < runes.Length && IsCased(runes[after]));
    }

    private static bool IsCased(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool IsCaseIgnorable(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.EnclosingMark
            or UnicodeCategory.Format or UnicodeCategory.ModifierLetter or UnicodeCategory.ModifierSymbol
        || (rune.IsBmp && MiddleOfWord.Contains((char)rune.Value));
}
