using System.Text;

namespace Cliper.Model;

/// <summary>How error messages show text that comes from files.</summary>
internal static class ErrorText
{
    /// <summary>
    /// A name from a file as an error message shows it: quoted, control characters escaped, cut when very long, so that
    /// a hostile file cannot fill or garble a terminal.
    /// </summary>
    public static string Quote(string name)
    {
        const int Longest = 100;
        var text = new StringBuilder("'");
        foreach (char c in name.AsSpan(0, Math.Min(name.Length, Longest)))
            text.Append(char.IsControl(c) || char.IsSurrogate(c) ? $"\\u{(int)c:x4}" : c.ToString());
        return text.Append(name.Length > Longest ? "…'" : "'").ToString();
    }
}
