using System.Text;

namespace Cliper.Model.DataSets;

/// <summary>Small text helpers of the list readers.</summary>
internal static class DelimitedText
{
    private const int MaxShown = 80;

    /// <summary>At most 80 characters of foreign text, control characters replaced, for an error of one line.</summary>
    public static string Short(string text)
    {
        string shown = text.Length > MaxShown ? text[..MaxShown] + "…" : text;
        return string.Concat(shown.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
    }

    /// <summary>
    /// The fields of a comma-separated line (RFC 4180 without line breaks in fields): quotes around a field are removed,
    /// doubled quotes inside become one, blanks around a field go.
    /// </summary>
    /// <exception cref="InputException">A quote is not closed.</exception>
    public static List<string> Fields(string line, string where)
    {
        var fields = new List<string>();
        if (!line.Contains('"'))
        {
            foreach (Range range in line.AsSpan().Split(','))
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
            else if (c == ',' && !quoted)
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
            throw new InputException($"{where}: a quote is not closed in '{Short(line)}'");
        fields.Add(field.ToString().Trim());
        return fields;
    }
}
