using System.Text;

namespace Cliper.Model.IO;

/// <summary>Writes text from files into error messages, so that a message stays one line of bounded length.</summary>
internal static class ForeignText
{
    private const int MaxShown = 80, MaxQuoted = 100;

    /// <summary>At most 80 characters of a text, with '?' in place of control characters.</summary>
    public static string Short(string text) =>
        Printable(text.Length > MaxShown ? text[..MaxShown] + "…" : text);

    /// <summary>The text with '?' in place of control characters and halves of surrogate pairs.</summary>
    public static string Printable(string text) =>
        string.Concat(text.Select(c => IsPrintable(c) ? c : '?'));

    /// <summary>At most 100 characters of a name in quotes, with escapes in place of control characters.</summary>
    public static string Quote(string name)
    {
        var text = new StringBuilder("'");
        foreach (char c in name.AsSpan(0, Math.Min(name.Length, MaxQuoted)))
            text.Append(IsPrintable(c) ? c.ToString() : $"\\u{(int)c:x4}");
        return text.Append(name.Length > MaxQuoted ? "…'" : "'").ToString();
    }

    private static bool IsPrintable(char c) => !char.IsControl(c) && !char.IsSurrogate(c);
}
