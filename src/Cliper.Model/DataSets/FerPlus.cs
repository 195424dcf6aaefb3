using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// FER+ (Barsoum et al. 2016): ten people's votes on the images of FER2013, row by row beside fer2013.csv. Eight
/// expressions; images that the votes call unknown or no face are left out.
/// </summary>
/// <remarks>
/// The labels follow the authors' program: a single vote for something counts as none. Majority takes the expression
/// with more than half of the remaining votes. Soft takes the largest counts until they hold three quarters of the
/// votes, at most three expressions and at least half of the votes, and none where "unknown" or "no face" leads.
/// </remarks>
internal sealed class FerPlus : IDataSetFormat
{
    private const string VotesName = "fer2013new.csv", PixelsName = "fer2013.csv";
    private const int MostExpressions = 3;
    private const double EnoughVotes = 0.75;

    private static readonly string[] Expressions8 =
        ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"];

    private static readonly string[] Columns = [.. Expressions8, "unknown", "nf"];

    public string Name => "ferplus";

    public string Layout => "fer2013new.csv (votes) beside fer2013.csv (pixels), row by row, or "
        + "FER2013{Train,Valid,Test}/*.png with a label.csv of votes in each";

    public bool Matches(string path, DataSetOptions options) =>
        File.Exists(path) && Path.GetFileName(path) == VotesName || File.Exists(Path.Combine(path, VotesName))
        || FerPlusFolders.RootOf(path) is not null;

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (!File.Exists(path) && !File.Exists(Path.Combine(path, VotesName))
            && FerPlusFolders.RootOf(path) is { } root)
            return FerPlusFolders.Read(root, options);
        string folder = File.Exists(path) ? Path.GetDirectoryName(Path.GetFullPath(path))! : path;
        string votes = Path.Combine(folder, VotesName), pixels = Path.Combine(folder, PixelsName);
        foreach (string file in new[] { votes, pixels })
            if (!File.Exists(file))
                throw new InputException(
                    $"{file}: no such file; FER+ needs both {VotesName} and {PixelsName} in one folder");
        var splits = new Dictionary<string, List<RawSample>> { ["train"] = [], ["validation"] = [], ["test"] = [] };
        using ListReader votesReader = new(votes, options), pixelsReader = new(pixels, options);
        using IEnumerator<(int Line, int Label, byte[] Pixels, string Split)> images = Fer2013.Parse(pixelsReader,
            pixels).GetEnumerator();
        int left = 0;
        foreach ((int line, int[] row, string split) in Parse(votesReader, votes))
        {
            string where = $"{votes}:{line}";
            if (!images.MoveNext())
                throw new InputException(
                    $"{where}: a row more than {pixels} has; both need the same rows in the same order");
            if (images.Current.Split != split)
                throw new InputException(
                    $"{where}: a row of {split} beside one of {images.Current.Split} ({pixels}:{images.Current.Line}); "
                    + "both files need the same rows in the same order");
            Dictionary<string, float>? shares = Shares(row, options);
            if (shares == null)
            {
                left++;
                continue;
            }
            // The first expression of the list wins among equal shares.
            string label = shares.MaxBy(share => share.Value).Key;
            splits[split].Add(new RawSample(string.Create(CultureInfo.InvariantCulture, $"row {line}"), label,
                [new GrayFrame($"{pixels}:{images.Current.Line}", Fer2013.Side, Fer2013.Side, images.Current.Pixels)],
                where,
                Votes: shares.Count > 1 ? shares : null));
        }
        if (images.MoveNext())
            throw new InputException(
                $"{pixels}:{images.Current.Line}: a row more than {votes} has; both need the same rows");
        return new RawSplits(splits["train"], NoneIfEmpty(splits["validation"]), NoneIfEmpty(splits["test"]))
        {
            Alignment = FaceAlignment.Cropped,
            Notes = [Note(left, options)],
        };

        static List<RawSample>? NoneIfEmpty(List<RawSample> samples) => samples.Count > 0 ? samples : null;
    }

    /// <summary>Shares of the expressions by the choice of labels; null where the image is left out.</summary>
    internal static Dictionary<string, float>? Shares(int[] votes, DataSetOptions options) =>
        options.Choices.FerPlus == FerPlusLabels.Majority ? Majority(votes) : Soft(votes);

    /// <summary>The note on how labels were made.</summary>
    /// <param name="left">Images left out.</param>
    /// <param name="options">Has the choice.</param>
    internal static string Note(int left, DataSetOptions options) => "FER+: labels by "
        + (options.Choices.FerPlus == FerPlusLabels.Majority ? "majority" : "votes, training draws anew each epoch")
        + $" (ferPlus); {left} pictures without one of the 8 expressions left out";

    /// <summary>A number of votes.</summary>
    /// <exception cref="InputException">It is none.</exception>
    internal static int VotesOf(string field, string where) =>
        int.TryParse(field, NumberStyles.None, CultureInfo.InvariantCulture, out int votes) && votes <= 100 ? votes
        : throw new InputException($"{where}: '{ForeignText.Short(field)}' is no number of votes");

    /// <summary>The rows: line, ten counts, split.</summary>
    internal static IEnumerable<(int Line, int[] Votes, string Split)> Parse(TextReader reader, string name)
    {
        if (reader.ReadLine() is not { } header)
            throw new InputException(
                $"{name}: the file is empty, expected the columns Usage,…,{string.Join(",", Columns)}");
        List<string> columns = [.. Csv.Fields(header, $"{name}:1").Select(column => column.ToLowerInvariant())];
        int usage = columns.IndexOf("usage");
        int[] places = [.. Columns.Select(column => columns.IndexOf(column))];
        if (usage < 0 || places.Contains(-1))
            throw new InputException(
                $"{name}:1: the columns are '{ForeignText.Short(header)}', expected "
                + $"Usage,…,{string.Join(",", Columns)}");
        for (int line = 2; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{name}:{line}";
            List<string> fields = Csv.Fields(text, where);
            if (fields.Count != columns.Count)
                throw new InputException($"{where}: {fields.Count} columns, expected {columns.Count}");
            var votes = new int[places.Length];
            for (int i = 0; i < votes.Length; i++)
                votes[i] = VotesOf(fields[places[i]], where);
            yield return (line, votes, Fer2013.SplitOf(fields[usage], where));
        }
    }

    /// <summary>The expression with more than half of the votes; null if there is none.</summary>
    internal static Dictionary<string, float>? Majority(int[] votes)
    {
        int[] counted = Counted(votes);
        int best = Array.IndexOf(counted, counted.Max());
        return 2 * counted[best] > counted.Sum() && best < Expressions8.Length ? new() { [Expressions8[best]] = 1 }
            : null;
    }

    /// <summary>
    /// Shares of the leading expressions; null where they are too few votes, too many, or no expression.
    /// </summary>
    internal static Dictionary<string, float>? Soft(int[] votes)
    {
        int[] counted = Counted(votes);
        int all = counted.Sum(), taken = 0;
        var leading = new Dictionary<string, float>();
        foreach (IGrouping<int, int> rank in Enumerable.Range(0, counted.Length).Where(i => counted[i] > 0)
            .GroupBy(i => counted[i]).OrderByDescending(rank => rank.Key))
        {
            if (taken >= EnoughVotes * all || leading.Count >= MostExpressions)
                break;
            foreach (int i in rank.Where(i => i < Expressions8.Length))
            {
                leading.Add(Expressions8[i], rank.Key);
                taken += rank.Key;
            }
            if (rank.Any(i => i >= Expressions8.Length))
                break;
        }
        if (leading.Count == 0 || leading.Count > MostExpressions || 2 * taken <= all)
            return null;
        return leading.ToDictionary(pair => pair.Key, pair => pair.Value / taken);
    }

    private static int[] Counted(int[] votes) => [.. votes.Select(count => count <= 1 ? 0 : count)];
}
