using System.Collections.Frozen;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>The terms that a model inherits from the data it was trained on.</summary>
public static class DataSetTerms
{
    // All of these are given out for research alone, by agreements or on their pages.
    private static readonly FrozenDictionary<string, string> Titles = new Dictionary<string, string>
    {
        [new RafDb().Name] = "RAF-DB",
        [new AffectNet().Name] = "AffectNet",
        [new Dfew().Name] = "DFEW",
        [new Ferv39k().Name] = "FERV39k",
        [new Mafw().Name] = "MAFW",
        [new Afew().Name] = "AFEW",
        [new Fer2013().Name] = "FER2013",
        [new FerPlus().Name] = "FER2013",
        [new CkPlus().Name] = "CK+",
    }.ToFrozenDictionary();

    /// <summary>A line such as "trained on FER2013: research use"; null for data of one's own.</summary>
    /// <param name="format">Name of the data's layout, see <see cref="DataSetSplits.Format"/>.</param>
    public static string? Of(string format) =>
        Titles.TryGetValue(format, out string? title) ? $"trained on {title}: research use" : null;
}
