using System.Text.Json;
using Cliper.Model.Text;

namespace Cliper.Model.Tests.Golden;

/// <summary>Token ids against OpenAI's tokenizer.</summary>
[Category("Golden")]
public sealed class TokenizerGoldenTests
{
    private static IEnumerable<TestCaseData> Files => GoldenSet.Files("tokenizer.json");

    [TestCaseSource(nameof(Files))]
    public void IdsAreOpenAIs(GoldenSet set)
    {
        using JsonDocument golden = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(set.Folder, set.Name)));
        Assert.That(golden.RootElement.GetArrayLength(), Is.Positive);
        ClipTokenizer tokenizer = ClipTokenizer.Load(SharedFiles.OrIgnore("fixtures/bpe_simple_vocab_16e6.txt.gz"));
        foreach (JsonElement text in golden.RootElement.EnumerateArray())
        {
            string words = text.GetProperty("text").GetString()!;
            int[] ids = [.. text.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.That(tokenizer.EncodeWords(words), Is.EqualTo(ids), words);
            Assert.That(tokenizer.Encode(words, 77), Is.EqualTo((int[])[49406, .. ids, 49407]), words);
        }
    }
}
