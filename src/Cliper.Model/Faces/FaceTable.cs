using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.IO;

namespace Cliper.Model.Faces;

/// <summary>
/// Boxes of faces that another program found: a CSV file with the columns file, x, y, width and height, in any order
/// and among others. A picture may have several rows. Files are named as they are given to the program, or relative to
/// the CSV file's folder.
/// </summary>
public sealed class FaceTable
{
    private static readonly string[] Columns = ["file", "x", "y", "width", "height"];

    private readonly Dictionary<string, List<Face>> _faces = new(StringComparer.Ordinal);

    private FaceTable(string path) => Path = path;

    /// <summary>The CSV file.</summary>
    public string Path { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is missing, lacks a column, or a row is no box.</exception>
    public static FaceTable Load(string path)
    {
        var lines = new List<string>();
        try
        {
            using var reader = new Utf8LineReader(path);
            while (reader.ReadLine() is { } line)
                lines.Add(line);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the list of faces cannot be read ({failure.Message})", failure);
        }
        string[] header = lines.Count == 0 ? [] : [.. lines[0].Split(',').Select(name => name.Trim())];
        int[] places =
            [.. Columns.Select(name =>
            Array.FindIndex(header, found => found.Equals(name, StringComparison.OrdinalIgnoreCase)))];
        if (places.Contains(-1))
            throw new InputException(
                $"{path}: the first line is '{ForeignText.Short(lines.FirstOrDefault() ?? "")}'; expected the columns "
                + string.Join(',', Columns));
        var table = new FaceTable(path);
        string folder = System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!;
        for (int line = 1; line < lines.Count; line++)
            if (lines[line].Length > 0)
                table.Add(folder, lines[line].Split(','), places, line + 1);
        return table;
    }

    /// <summary>The faces of a picture, the largest first; none where the table does not name it.</summary>
    public IReadOnlyList<Face> Of(string file) =>
        _faces.TryGetValue(System.IO.Path.GetFullPath(file), out List<Face>? found)
            ? [.. found.OrderByDescending(face => (long)face.Box.Width * face.Box.Height)] : [];

    private void Add(string folder, string[] fields, int[] places, int line)
    {
        if (places.Max() >= fields.Length)
            throw new InputException(
                $"{Path}: line {line} has {fields.Length} fields, expected {places.Max() + 1} or more");
        float[] numbers =
            [.. places[1..].Select(place => float.TryParse(fields[place], NumberStyles.Float,
            CultureInfo.InvariantCulture,
            out float value) && MathF.Abs(value) < 1e6f ? value
            : throw new InputException(
            $"{Path}: line {line} has '{ForeignText.Short(fields[place].Trim())}', expected a number of pixels"))];
        var box = new PixelBox((int)MathF.Round(numbers[0]), (int)MathF.Round(numbers[1]), (int)MathF.Round(numbers[2]),
            (int)MathF.Round(numbers[3]));
        if (box.Width < 1 || box.Height < 1)
            throw new InputException(
                $"{Path}: line {line} is a box of {box.Width} x {box.Height} pixels, expected at least 1 x 1");
        string name = fields[places[0]].Trim().Trim('"');
        // The file is as it is named from the working folder, and from the table's own: one of both is meant.
        foreach (string file in new[] { System.IO.Path.GetFullPath(name),
            System.IO.Path.GetFullPath(name, folder) }.Distinct())
        {
            if (!_faces.TryGetValue(file, out List<Face>? faces))
                _faces.Add(file, faces = []);
            faces.Add(new Face(box, 1, []));
        }
    }
}
