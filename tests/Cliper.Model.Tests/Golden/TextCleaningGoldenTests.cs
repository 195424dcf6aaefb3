using System.Text;
using System.Text.Json;
using Cliper.Model.Text;

namespace Cliper.Model.Tests.Golden;

/// <summary>
/// Some hundred texts against OpenAI's cleaning (ftfy and Python's html), Hugging Face's steps, and Unicode's normal
/// forms; weights-tools/export_text.py makes the table.
/// </summary>
[Category("Golden")]
public sealed class TextCleaningGoldenTests
{
    private const string HuggingFace = """
        {"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},
        {"type":"Lowercase"}]}
        """;

    private static IEnumerable<TestCaseData> Ways()
    {
        using JsonDocument steps = JsonDocument.Parse(HuggingFace);
        TextNormalizer normalizer = TextNormalizer.Parse(steps.RootElement, "tokenizer.json");
        yield return Way("openai", TextCleaner.Clean);
        yield return Way("hugging_face", normalizer.Normalize);
        yield return Way("nfc", text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormC));
        yield return Way("nfd", text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormD));
        yield return Way("nfkc", text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKC));
        yield return Way("nfkd", text => UnicodeNormalizer.Normalize(text, NormalizationForm.FormKD));

        static TestCaseData Way(string key, Func<string, string> way) =>
            new TestCaseData(key, way).SetArgDisplayNames(key);
    }

    [TestCaseSource(nameof(Ways))]
    public void EveryTextOfTheTable_BecomesWhatTheReferenceMakesOfIt(string key, Func<string, string> way)
    {
        string path = Path.Combine(SharedFiles.Root, "tests", "golden", "text_cleaning.json");
        using JsonDocument table = JsonDocument.Parse(File.ReadAllBytes(path));
        Assert.That(table.RootElement.GetArrayLength(), Is.GreaterThan(300));
        var wrong = new List<string>();
        foreach (JsonElement row in table.RootElement.EnumerateArray())
        {
            string text = row.GetProperty("text").GetString()!, expected = row.GetProperty(key).GetString()!;
            if (way(text) is var found && found != expected)
                wrong.Add($"{Escaped(text)}: {Escaped(found)}, expected {Escaped(expected)}");
        }
        Assert.That(wrong, Is.Empty);
    }

    private static string Escaped(string text) => JsonSerializer.Serialize(text);
}
