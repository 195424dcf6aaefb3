using System.Globalization;

namespace Cliper.Model.Text;

/// <summary>Reads the tables of characters that are built into the assembly; weights-tools/export_text.py makes
/// them.</summary>
internal static class TextTables
{
    /// <summary>The lines of a table but its comments.</summary>
    public static IEnumerable<string> Lines(string name)
    {
        using Stream stream = typeof(TextTables).Assembly.GetManifestResourceStream($"Cliper.Model.Text.{name}")
            ?? throw new InvalidOperationException($"the table {name} is not in the assembly");
        using var reader = new StreamReader(stream);
        while (reader.ReadLine() is { } line)
            if (!line.StartsWith('#'))
                yield return line;
    }

    /// <summary>Code points in hexadecimal, with blanks between them.</summary>
    public static int[] Codes(string text) => [.. text.Split(' ').Select(code =>
        int.Parse(code, NumberStyles.HexNumber, CultureInfo.InvariantCulture))];
}
