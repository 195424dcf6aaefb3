using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// Images with captions that people wrote: a folder with captions.csv, whose first line is "file,caption" or means that
/// ("filepath", "title", by tabs), and whose others give an image's path, relative to the folder, and its caption (in
/// double quotes where it holds a comma).
/// </summary>
internal static class CaptionFile
{
    /// <summary>File name of the list.</summary>
    public const string FileName = "captions.csv";

    private const string Layout = "expected the columns 'file,caption'";

    /// <summary>Reads the list; the images themselves are read when they are needed.</summary>
    /// <param name="folder">The folder that holds captions.csv.</param>
    /// <param name="cancellation">Cancels the reading.</param>
    /// <returns>The images, as a split of the one class "picture", and the caption of each.</returns>
    /// <exception cref="InputException">The list is missing, malformed or empty, or an image is not there.</exception>
    public static (DataSplit Split, IReadOnlyList<string> Captions) Open(string folder,
        CancellationToken cancellation = default)
    {
        string list = Path.Combine(folder, FileName);
        if (!File.Exists(list))
            throw new InputException($"{list}: no such file: {Layout}, a picture a line");
        var samples = new List<Sample>();
        var captions = new List<string>();
        int number = 0, file = -1, caption = -1;
        char separator = ',';
        using var reader = new Utf8LineReader(list, cancellation);
        while (reader.ReadLine() is { } line)
        {
            string where = $"{list}:{++number}";
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (file < 0)
                separator = ListColumns.SeparatorOf(line) ?? ',';
            List<string> fields = Csv.Fields(line, where, separator);
            if (file < 0)
            {
                (file, caption) = ListColumns.OfCaptions(fields);
                if (file < 0 || caption < 0)
                    throw new InputException($"{where}: {Layout}, found '{ForeignText.Short(line)}'");
                continue;
            }
            if (fields.Count <= Math.Max(file, caption) || string.IsNullOrWhiteSpace(fields[caption]))
                throw new InputException($"{where}: {Layout}, found '{ForeignText.Short(line)}'");
            string path = Path.Combine(folder, fields[file]);
            if (!File.Exists(path))
                throw new InputException($"{where}: no such picture: {path}");
            samples.Add(new Sample(fields[file], 0, [new FileFrame(path)]));
            captions.Add(fields[caption]);
        }
        return samples.Count > 0 ? (new DataSplit("train", ["picture"], samples), captions)
            : throw new InputException($"{list}: lists no picture");
    }
}
