using System.Globalization;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// FER2013 (Goodfellow et al. 2013): the file fer2013.csv, whose PublicTest is the validation split and PrivateTest the
/// test split, or folders of images.
/// </summary>
internal sealed class Fer2013 : IDataSetFormat
{
    // The second is the name of the same table in the competition's data.
    private static readonly string[] FileNames = ["fer2013.csv", "icml_face_data.csv"];

    /// <summary>Width and height of an image.</summary>
    internal const int Side = 48;

    private static readonly string[] Labels = ["anger", "disgust", "fear", "happiness", "sadness",
        "surprise", "neutral"];

    public string Name => "fer2013";

    public string Layout => "fer2013.csv with columns emotion,pixels,Usage, or {train,validation,test}/CLASS/*.jpg";

    public bool Matches(string path, DataSetOptions options) => FileOf(path) is { } file && HasHeader(file);

    public RawSplits Read(string path, DataSetOptions options)
    {
        if (FileOf(path) is not { } file)
            return new FolderPerClass().Read(path, options);
        using var reader = new ListReader(file, options);
        var splits = new Dictionary<string, List<RawSample>>();
        foreach ((int line, int label, byte[] pixels, string split) in Parse(reader, file))
        {
            if (!splits.TryGetValue(split, out List<RawSample>? samples))
                splits.Add(split, samples = []);
            string name = string.Create(CultureInfo.InvariantCulture, $"row {line}");
            samples.Add(new RawSample(name, Labels[label], [new GrayFrame($"{file}:{line}", Side, Side, pixels)],
                $"{file}:{line}"));
        }
        if (!splits.TryGetValue("train", out List<RawSample>? train))
            throw new InputException($"{file}: no row has Usage Training; the file is not complete, get it again");
        return new RawSplits(train, splits.GetValueOrDefault("validation"), splits.GetValueOrDefault("test"))
        {
            Alignment = FaceAlignment.Cropped,
        };
    }

    private static string? FileOf(string path) =>
        File.Exists(path) ? path : FileNames.Select(name => Path.Combine(path, name)).FirstOrDefault(File.Exists);

    private static bool HasHeader(string file)
    {
        if (!file.EndsWith(".csv", StringComparison.OrdinalIgnoreCase))
            return false;
        using var reader = new Utf8LineReader(file);
        return reader.ReadLine() is { } header && header.Contains("pixels", StringComparison.OrdinalIgnoreCase)
            && header.Contains("emotion", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>The rows: line, label 0 to 6, 48 x 48 bytes, split.</summary>
    internal static IEnumerable<(int Line, int Label, byte[] Pixels, string Split)> Parse(TextReader reader,
        string name)
    {
        if (reader.ReadLine() is not { } header)
            throw new InputException($"{name}: the file is empty, expected the columns emotion,pixels,Usage");
        List<string> columns = [.. Csv.Fields(header, $"{name}:1").Select(column => column.ToLowerInvariant())];
        int emotion = columns.IndexOf("emotion"), pixels = columns.IndexOf("pixels"), usage = columns.IndexOf("usage");
        if (emotion < 0 || pixels < 0 || usage < 0)
            throw new InputException(
                $"{name}:1: the columns are '{ForeignText.Short(header)}', expected emotion,pixels,Usage");
        for (int line = 2; reader.ReadLine() is { } text; line++)
        {
            if (string.IsNullOrWhiteSpace(text))
                continue;
            string where = $"{name}:{line}";
            List<string> fields = Csv.Fields(text, where);
            if (fields.Count != columns.Count)
                throw new InputException($"{where}: {fields.Count} columns, expected {columns.Count}");
            if (!int.TryParse(fields[emotion], NumberStyles.None, CultureInfo.InvariantCulture, out int label)
                || label >= Labels.Length)
                throw new InputException(
                $"{where}: unknown emotion '{ForeignText.Short(fields[emotion])}', expected 0 to 6");
            string split = SplitOf(fields[usage], where);
            yield return (line, label, PixelsOf(fields[pixels], where), split);
        }
    }

    /// <summary>The split that a row's Usage means.</summary>
    internal static string SplitOf(string usage, string where) => SplitNames.Of(usage) ?? throw new InputException(
        $"{where}: unknown Usage '{ForeignText.Short(usage)}', expected Training, PublicTest or PrivateTest");

    private static byte[] PixelsOf(string field, string where)
    {
        var result = new byte[Side * Side];
        int count = 0;
        foreach (Range range in field.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> number = field.AsSpan(range);
            if (number.IsEmpty)
                continue;
            if (!byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out byte value))
                throw new InputException(
                    $"{where}: '{ForeignText.Short(number.ToString())}' is no pixel, expected a number from 0 to 255");
            if (count < result.Length)
                result[count] = value;
            count++;
        }
        return count == result.Length ? result
            : throw new InputException($"{where}: {count} pixels, expected {Side} x {Side} = {result.Length}");
    }
}
