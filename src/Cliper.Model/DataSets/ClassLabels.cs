using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Looks at the names of a data set's classes.</summary>
internal static class ClassLabels
{
    private const int ShortestGuess = 4;

    private static readonly string[] KnownNames = [.. Expressions.Words.Where(word => word.Length > 2)];

    /// <summary>The names in alphabetical order, each once whatever its case; the first spelling stays.</summary>
    public static string[] Of(RawSplits raw) =>
        [.. raw.All.SelectMany(samples => samples).Select(sample => Expressions.Canonical(sample.Class))
            .DistinctBy(name => name, StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal)];

    /// <summary>A sentence for each name that looks like a mistake.</summary>
    public static IEnumerable<string> Warnings(RawSplits raw)
    {
        string[] classes = Of(raw);
        foreach (string name in classes)
            if (NearestOf(name) is { } nearest)
                yield return $"the class {name} is one letter away from {nearest}, which is an expression; it is taken "
                    + "for a class of its own";
        if (classes.Length > 0 && classes.All(name => name.All(char.IsDigit)))
            yield return $"the classes are numbers ({string.Join(", ", classes)}), and data sets differ in what these "
                + "mean";
        (string Split, HashSet<string> Classes)[] splits =
        [
            .. new[] { ("train", raw.Train), ("validation", raw.Validation), ("test", raw.Test) }
                .Where(split => split.Item2 is not null).Select(split => (split.Item1, split.Item2!
                    .Select(sample => Expressions.Canonical(sample.Class))
                    .ToHashSet(StringComparer.OrdinalIgnoreCase))),
        ];
        foreach (string name in splits.Length > 1 ? classes : [])
            if (splits.Count(split => split.Classes.Contains(name)) == 1)
                yield return $"the class {name} stands in {splits.First(split => split.Classes.Contains(name)).Split} "
                    + "alone" + Hint(name);
    }

    /// <summary>"; did you mean 'x'?" where a name is one letter away from an expression.</summary>
    public static string Hint(string name) =>
        NearestOf(name) is { } nearest ? $"; did you mean '{nearest}'?" : "";

    private static string? NearestOf(string name) => Expressions.IsKnown(name) || name.Length < ShortestGuess ? null
        : KnownNames.FirstOrDefault(known => Suggestion.Distance(name.ToLowerInvariant(), known) == 1);
}
