using System.Globalization;
using System.Text;

namespace Cliper.Model.Text;

/// <summary>
/// Unicode's normal forms (UAX #15). Written out, because .NET without ICU takes every text for normalized.
/// </summary>
internal static class UnicodeNormalizer
{
    // Hangul syllables are composed by arithmetic (Unicode standard, section 3.12).
    private const int SyllableBase = 0xAC00, LeadBase = 0x1100, VowelBase = 0x1161, TailBase = 0x11A7;
    private const int Leads = 19, Vowels = 21, Tails = 28, Syllables = Leads * Vowels * Tails;

    // All below is NFC as it stands, and nothing below combines.
    private const char FirstCombining = '\u0300';

    private static readonly Lazy<Tables> Data = new(ReadTables);

    /// <summary>The text in one of the four normal forms. Half a surrogate pair becomes U+FFFD.</summary>
    /// <param name="text">Any text.</param>
    /// <param name="form">The form.</param>
    public static string Normalize(string text, NormalizationForm form)
    {
        if (form == NormalizationForm.FormC && text.AsSpan().IndexOfAnyInRange(FirstCombining, char.MaxValue) < 0)
            return text;
        bool isCompatible = form is NormalizationForm.FormKC or NormalizationForm.FormKD;
        var codes = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
            Decompose(rune.Value, isCompatible, codes);
        Reorder(codes);
        if (form is NormalizationForm.FormC or NormalizationForm.FormKC)
            Compose(codes);
        var result = new StringBuilder(text.Length);
        foreach (int code in codes)
            result.Append(new Rune(code).ToString());
        return result.ToString();
    }

    private static void Decompose(int code, bool isCompatible, List<int> target)
    {
        if (code - SyllableBase is >= 0 and < Syllables and var syllable)
        {
            target.Add(LeadBase + syllable / (Vowels * Tails));
            target.Add(VowelBase + syllable % (Vowels * Tails) / Tails);
            if (syllable % Tails > 0)
                target.Add(TailBase + syllable % Tails);
        }
        else if (Data.Value.Canonical.TryGetValue(code, out int[]? parts)
            || isCompatible && Data.Value.Compatible.TryGetValue(code, out parts))
        {
            foreach (int part in parts)
                Decompose(part, isCompatible, target);
        }
        else
        {
            target.Add(code);
        }
    }

    /// <summary>Sorts each run of combining characters by class, stably.</summary>
    private static void Reorder(List<int> codes)
    {
        for (int i = 1; i < codes.Count; i++)
        {
            int combining = ClassOf(codes[i]);
            for (int j = i; combining > 0 && j > 0 && ClassOf(codes[j - 1]) > combining; j--)
                (codes[j - 1], codes[j]) = (codes[j], codes[j - 1]);
        }
    }

    /// <summary>Joins each character with the last starter before it, where nothing stands between that blocks
    /// it.</summary>
    private static void Compose(List<int> codes)
    {
        int starter = -1, last = -1, to = 0;
        foreach (int code in codes.ToArray())
        {
            int combining = ClassOf(code);
            if (starter >= 0 && (last < combining || last < 0) && Joined(codes[starter], code) is { } joined)
            {
                codes[starter] = joined;
                continue;
            }
            if (combining == 0)
                (starter, last) = (to, -1);
            else
                last = combining;
            codes[to++] = code;
        }
        codes.RemoveRange(to, codes.Count - to);
    }

    private static int? Joined(int first, int second)
    {
        if (first - LeadBase is >= 0 and < Leads and var lead && second - VowelBase is >= 0 and < Vowels and var vowel)
            return SyllableBase + (lead * Vowels + vowel) * Tails;
        if (first - SyllableBase is >= 0 and < Syllables and var syllable && syllable % Tails == 0
            && second - TailBase is > 0 and < Tails and var tail)
            return first + tail;
        return Data.Value.Compositions.TryGetValue((first, second), out int joined) ? joined : null;
    }

    private static int ClassOf(int code) => Data.Value.Classes.GetValueOrDefault(code);

    private static Tables ReadTables()
    {
        var tables = new Tables([], [], [], []);
        foreach (string line in TextTables.Lines("unicode-data.txt"))
        {
            string[] fields = line.Split('\t');
            int code = int.Parse(fields[0], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (fields[1] != "0")
                tables.Classes.Add(code, int.Parse(fields[1], CultureInfo.InvariantCulture));
            if (fields.Length < 3)
                continue;
            bool isCompatible = fields[2].StartsWith('k'), isExcluded = fields[2].StartsWith('x');
            int[] parts = TextTables.Codes(isCompatible || isExcluded ? fields[2][2..] : fields[2]);
            (isCompatible ? tables.Compatible : tables.Canonical).Add(code, parts);
            if (!isCompatible && !isExcluded)
                tables.Compositions.Add((parts[0], parts[1]), code);
        }
        return tables;
    }

    private sealed record Tables(Dictionary<int, int> Classes, Dictionary<int, int[]> Canonical,
        Dictionary<int, int[]> Compatible, Dictionary<(int, int), int> Compositions);
}
