namespace Cliper.Model.IO;

/// <summary>Comma-separated values as RFC 4180 has them, with a line feed at the end of a line.</summary>
public static class Csv
{
    /// <summary>A line without its end. Fields with a comma, quote or line break are quoted.</summary>
    public static string Line(IEnumerable<string> fields) => string.Join(',', fields.Select(Field));

    private static string Field(string text) =>
        text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"")}\"" : text;
}
