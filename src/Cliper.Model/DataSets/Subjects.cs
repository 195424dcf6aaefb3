using System.Text.RegularExpressions;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Finds whose face an image shows, where the names of a data set tell.</summary>
internal static partial class Subjects
{
    private const double MostOdd = 0.05;

    /// <summary>
    /// The subject of each name, or null where the names carry none. Known are JAFFE's ("KA.AN1.39"), KDEF's
    /// ("AF01ANS"), RaFD's ("Rafd090_01_…") and RAVDESS's ("…-12"); elsewhere it is what comes before the first sign,
    /// such as "S010" in CK+48's "S010_004_00000015", where that is a short code, several names share it, and it does
    /// not stand for the class.
    /// </summary>
    /// <param name="samples">The samples to be split.</param>
    /// <param name="fewest">Number of subjects below which nothing is gained.</param>
    public static IReadOnlyDictionary<string, string>? Find(IReadOnlyList<RawSample> samples, int fewest)
    {
        Regex[] known = [Jaffe(), Kdef(), Rafd(), Ravdess()];
        foreach (Regex pattern in known.Append(Code()))
        {
            var found = new Dictionary<string, string>();
            int odd = 0;
            foreach (RawSample sample in samples)
                if (pattern.Match(Path.GetFileNameWithoutExtension(sample.Name)) is { Success: true } match)
                    found[sample.Name] = match.Groups[1].Value;
                else if (++odd > MostOdd * samples.Count)
                    break;
            if (odd > MostOdd * samples.Count)
                continue;
            ILookup<string, RawSample> bySubject = samples.Where(sample => found.ContainsKey(sample.Name))
                .ToLookup(sample => found[sample.Name]);
            bool areMany = bySubject.Count >= fewest && bySubject.Count * 2 <= found.Count;
            int classes = samples.Select(sample => sample.Class).Distinct(StringComparer.OrdinalIgnoreCase).Count();
            bool areClasses = bySubject.Count <= classes
                && bySubject.All(group => group.Select(sample => sample.Class).Distinct().Count() == 1);
            if (areMany && !areClasses)
                return found;
        }
        return null;
    }

    [GeneratedRegex(@"^([A-Z]{2})\.[A-Z]{2}\d")]
    private static partial Regex Jaffe();

    // Session, sex and number, then expression and angle; both sessions show the same person.
    [GeneratedRegex(@"^[AB]([FM]\d{2})(?:AF|AN|DI|HA|NE|SA|SU)(?:S|HL|HR|FL|FR)$", RegexOptions.IgnoreCase)]
    private static partial Regex Kdef();

    [GeneratedRegex(@"^Rafd\d{3}_(\d{2})_", RegexOptions.IgnoreCase)]
    private static partial Regex Rafd();

    [GeneratedRegex(@"^\d{2}(?:-\d{2}){5}-(\d{2})(?!\d)")]
    private static partial Regex Ravdess();

    [GeneratedRegex(@"^([A-Za-z]{1,2}\d{2,4}|\d{3,4})[_.-]")]
    private static partial Regex Code();
}
