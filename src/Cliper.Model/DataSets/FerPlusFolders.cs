using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// FER+ as its authors' generate_training_data.py writes it: folders FER2013Train, FER2013Valid and FER2013Test of
/// images, each with a label.csv that has a row of name, box and ten people's votes for an image, and no header.
/// </summary>
internal static class FerPlusFolders
{
    private const string FileName = "label.csv";
    private const int Votes = 10, Columns = 2 + Votes;

    /// <summary>The folder that holds the splits; null where this is another layout.</summary>
    public static string? RootOf(string path)
    {
        if (!Directory.Exists(path))
            return null;
        string root = Folders.Unwrapped(path);
        return Folders.Splits(root) is { } splits && Path.Combine(splits["train"], FileName) is var list
            && File.Exists(list) && FirstLine(list) is { } line && IsRow(line) ? root : null;
    }

    private static string? FirstLine(string list)
    {
        using var reader = new Utf8LineReader(list);
        return reader.ReadLine();
    }

    /// <summary>Reads the splits.</summary>
    /// <exception cref="InputException">A list is missing or damaged.</exception>
    public static RawSplits Read(string root, DataSetOptions options)
    {
        int left = 0;
        RawSplits splits = Folders.Read(root, options, folder => ReadSplit(folder, options, ref left));
        return splits with { Alignment = FaceAlignment.Cropped, Notes = [FerPlus.Note(left, options)] };
    }

    private static bool IsRow(string line)
    {
        try
        {
            List<string> fields = Csv.Fields(line, FileName);
            return fields.Count == Columns && fields.Skip(2).All(field => int.TryParse(field, out _));
        }
        catch (InputException)
        {
            return false;
        }
    }

    private static List<RawSample> ReadSplit(string folder, DataSetOptions options, ref int left)
    {
        string list = Path.Combine(folder, FileName);
        if (!File.Exists(list))
            throw new InputException($"{list}: no such file; FER+ needs one in the folder of each split");
        HashSet<string> unlisted = [.. Folders.Images(folder, options)];
        var samples = new List<RawSample>();
        var seen = new Dictionary<string, int>();
        using var reader = new ListReader(list, options);
        for (int line = 1; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{list}:{line}";
            List<string> fields = Csv.Fields(text, where);
            if (fields.Count != Columns)
                throw new InputException($"{where}: {fields.Count} columns, expected a name, a box and {Votes} votes");
            if (!seen.TryAdd(fields[0], line))
                throw new InputException(
                    $"{where}: {ForeignText.Short(fields[0])} was already listed in line {seen[fields[0]]}");
            string image = Path.Combine(folder, fields[0]);
            unlisted.Remove(image);
            if (FerPlus.Shares([.. fields.Skip(2).Select(field => FerPlus.VotesOf(field, where))], options)
                is not { } shares)
                left++;
            else if (!File.Exists(image))
                options.ReportMissing(
                    $"{where}: {image} does not exist; unpack the pictures again, or remove the line");
            else
                samples.Add(new RawSample(fields[0], shares.MaxBy(share => share.Value).Key, [new FileFrame(image)],
                    where, Votes: shares.Count > 1 ? shares : null));
        }
        foreach (string image in unlisted)
            options.Findings.LeaveOut(image, $"{FileName} does not list it");
        return samples;
    }
}
