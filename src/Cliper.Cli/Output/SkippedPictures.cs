using System.Text.Json;
using Cliper.Model.Reporting;

namespace Cliper.Cli;

/// <summary>Images that were left out.</summary>
internal static class SkippedPictures
{
    private const int Named = 10;

    /// <summary>Names the first few and counts them.</summary>
    public static void Say(Terminal terminal, IReadOnlyDictionary<string, string> skipped)
    {
        if (skipped.Count == 0)
            return;
        foreach (string reason in skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal).Take(Named)
            .Select(entry => entry.Value))
            terminal.Say($"skipped: {reason}");
        terminal.Say($"skipped {skipped.Count} unreadable {(skipped.Count == 1 ? "picture" : "pictures")} (--strict "
            + "makes this an error)");
    }

    /// <summary>The member <c>unreadable</c> of a document.</summary>
    public static void Write(Utf8JsonWriter json, IReadOnlyDictionary<string, string> skipped) =>
        PredictionDocument.WriteSkipped(json, skipped, "unreadable");

    /// <summary>Names the first few files of folders that are left out, with the reasons, and counts them.</summary>
    public static void SayLeftOut(Terminal terminal, IReadOnlyCollection<KeyValuePair<string, string>> leftOut)
    {
        foreach ((string file, string reason) in leftOut.OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .Take(Named))
            terminal.Say($"left out: {file}: {reason}");
        if (leftOut.Count > Named)
            terminal.Say($"left out: {leftOut.Count} entries of the folders in all");
    }
}
