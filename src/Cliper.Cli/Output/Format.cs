using System.Globalization;

namespace Cliper.Cli;

/// <summary>Numbers as a person reads them, the same in every locale.</summary>
internal static class Format
{
    /// <summary>A size such as "1.2 GiB".</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => Invariant($"{bytes / (double)(1L << 30):F1} GiB"),
        >= 1L << 20 => Invariant($"{bytes / (double)(1L << 20):F0} MiB"),
        _ => Invariant($"{bytes / 1024.0:F0} KiB"),
    };

    /// <summary>A duration such as "1:02:03" or "2:03".</summary>
    public static string Duration(TimeSpan time) => time.TotalHours >= 1
        ? Invariant($"{(long)time.TotalHours}:{time.Minutes:D2}:{time.Seconds:D2}")
        : Invariant($"{time.Minutes}:{time.Seconds:D2}");

    /// <summary>A share such as "91.6 %"; a dash for null.</summary>
    public static string Percent(double? share) => share is { } value ? Invariant($"{100 * value:F1} %") : "-";

    /// <summary>
    /// A text from files or their names, so that a terminal shows it and does nothing else: control characters, and
    /// those that turn the direction of writing, are written as escapes.
    /// </summary>
    public static string Printable(string text) => !text.Any(IsUnprintable) ? text
        : string.Concat(text.Select(sign => IsUnprintable(sign) ? FormattableString.Invariant($"\\u{(int)sign:x4}")
            : sign.ToString()));

    private static bool IsUnprintable(char sign) => char.IsControl(sign) || sign is >= '\u202A' and <= '\u202E'
        or >= '\u2066' and <= '\u2069';

    /// <summary>Interpolated texts in the invariant culture, one after the other.</summary>
    public static string Invariant(params FormattableString[] texts)
 =>
        string.Concat(texts.Select(FormattableString.Invariant));
}
