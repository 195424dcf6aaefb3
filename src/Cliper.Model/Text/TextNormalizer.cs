using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cliper.Model.IO;

namespace Cliper.Model.Text;

/// <summary>The steps of a tokenizer on a text before it splits it into words: OpenAI's cleaning, or the steps that a
/// tokenizer.json names.</summary>
internal sealed class TextNormalizer
{
    // Expressions come with files that others make; the limit is for one that would never end.
    private static readonly TimeSpan LongestMatch = TimeSpan.FromSeconds(1);

    private readonly Func<string, string>[] _steps;

    private TextNormalizer(Func<string, string>[] steps, string? json) => (_steps, Json) = (steps, json);

    /// <summary>OpenAI's cleaning.</summary>
    public static TextNormalizer OpenAI { get; } = new([TextCleaner.Clean], null);

    /// <summary>The steps as tokenizer.json writes them; null for OpenAI's.</summary>
    public string? Json { get; }

    /// <summary>Applies the steps in order.</summary>
    public string Normalize(string text) => _steps.Aggregate(text, (current, step) => step(current));

    /// <summary>Reads the "normalizer" of a tokenizer.json.</summary>
    /// <param name="json">The element, an object or null.</param>
    /// <param name="path">The file, for errors.</param>
    /// <exception cref="InputException">A step is unknown or malformed.</exception>
    public static TextNormalizer Parse(JsonElement json, string path)
    {
        try
        {
            return new TextNormalizer([.. Steps(json, path)], json.GetRawText());
        }
        catch (Exception failure) when (failure is InvalidOperationException or KeyNotFoundException
            or ArgumentException)
        {
            throw new InputException($"{path}: the normalizer {ForeignText.Short(json.GetRawText())} is malformed; get "
                + "the tokenizer again", failure);
        }
    }

    private static IEnumerable<Func<string, string>> Steps(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
            return [];
        string type = json.GetProperty("type").GetString()!;
        return type switch
        {
            "Sequence" => json.GetProperty("normalizers").EnumerateArray().SelectMany(step => Steps(step, path)),
            "NFC" => [text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormC)],
            "NFD" => [text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormD)],
            "NFKC" => [text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKC)],
            "NFKD" => [text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKD)],
            "Lowercase" => [TextCleaner.Lower],
            "StripAccents" => [WithoutMarks],
            "Strip" => [Strip(json.GetProperty("strip_left").GetBoolean(),
                json.GetProperty("strip_right").GetBoolean())],
            "Replace" => [Replace(json.GetProperty("pattern"), json.GetProperty("content").GetString()!)],
            "Prepend" => [Prepend(json.GetProperty("prepend").GetString()!)],
            _ => throw new InputException($"{path}: the normalizer has the step {ForeignText.Quote(type)}, which is "
                + "unknown; use a tokenizer of CLIP's kind"),
        };
    }

    private static Func<string, string> Strip(bool left, bool right) => text =>
        right ? (left ? text.Trim() : text.TrimEnd()) : left ? text.TrimStart() : text;

    private static Func<string, string> Prepend(string prefix) => text => text.Length == 0 ? text : prefix + text;

    private static Func<string, string> Replace(JsonElement pattern, string content)
    {
        if (pattern.TryGetProperty("String", out JsonElement plain) && plain.GetString() is { Length: > 0 } old)
            return text => text.Replace(old, content, StringComparison.Ordinal);
        var expression = new Regex(pattern.GetProperty("Regex").GetString()!, RegexOptions.CultureInvariant,
            LongestMatch);
        return text => expression.Replace(text, _ => content);
    }

    private static string WithoutMarks(string text) => string.Concat(text.EnumerateRunes()
        .Where(rune => Rune.GetUnicodeCategory(rune) != UnicodeCategory.NonSpacingMark)
        .Select(rune => rune.ToString()));
}
