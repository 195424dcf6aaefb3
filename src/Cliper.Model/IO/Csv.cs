using System.Text;

namespace Cliper.Model.IO;

/// <summary>Comma-separated values of RFC 4180, with a line feed at the end of a line.</summary>
public static class Csv
{
    /// <summary>Writes a line, without its end. Fields with a comma, quote or line break are quoted.</summary>
    public static string Line(IEnumerable<string> fields) => string.Join(',', fields.Select(Field));

    /// <summary>
    /// Reads the fields of a line. Quotes around a field are removed, doubled quotes inside become one, and blanks
    /// around a field are trimmed. A field cannot hold a line break.
    /// </summary>
    /// <param name="line">The line, without its end.</param>
    /// <param name="where">File and line number for an error.</param>
    /// <param name="separator">Sign between the fields.</param>
    /// <exception cref="InputException">A quote is not closed.</exception>
    internal static List<string> Fields(string line, string where, char separator = ',')
    {
        var fields = new List<string>();
        if (!line.Contains('"'))
        {
            foreach (Range range in line.AsSpan().Split(separator))
                fields.Add(line.AsSpan(range).Trim().ToString());
            return fields;
        }
        var field = new StringBuilder();
        bool quoted = false;
        for (int i = 0; i < line.Length; i++)
        {
            char c = line[i];
            if (c == '"')
            {
                if (quoted && i + 1 < line.Length && line[i + 1] == '"')
                    field.Append(line[i++]);
                else
                    quoted = !quoted;
            }
            else if (c == separator && !quoted)
            {
                fields.Add(field.ToString().Trim());
                field.Clear();
            }
            else
            {
                field.Append(c);
            }
        }
        if (quoted)
            throw new InputException($"{where}: a quote is not closed in '{ForeignText.Short(line)}'");
        fields.Add(field.ToString().Trim());
        return fields;
    }

    private static string Field(string text) =>
        text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"")}\"" : text;
}
