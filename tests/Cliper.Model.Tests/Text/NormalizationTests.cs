using System.Text.Json;
using Cliper.Model.Text;

namespace Cliper.Model.Tests.Text;

public sealed class NormalizationTests : TemporaryFolder
{
    private static readonly string[] Captions = ["it's a résumé", "IT’S a cafe\u0301"];

    [Test]
    public void ATokenizerJsonThatNamesItsSteps_IsFollowed_AndKeptWithTheVocabulary()
    {
        BpeVocabulary vocabulary = BpeTrainer.Train(Captions, 530, []);
        WriteTokenizer(vocabulary, """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]}""");
        BpeVocabulary read = BpeVocabulary.Load(In("tokenizer.json"));
        var tokenizer = new ClipTokenizer(read);
        int[] composed = tokenizer.EncodeWords("a caf\u00e9");

        // NFC joins accents; quotes stay curled and references stay as they are, other than by OpenAI's cleaning.
        Assert.That(tokenizer.EncodeWords("A cafe\u0301"), Is.EqualTo(composed));
        Assert.That(tokenizer.EncodeWords("it\u2019s"), Is.Not.EqualTo(tokenizer.EncodeWords("it's")));
        Assert.That(new ClipTokenizer(vocabulary).EncodeWords("it\u2019s"),
            Is.EqualTo(new ClipTokenizer(vocabulary).EncodeWords("it's")));

        read.Save(In("saved"));
        var metadata = new Dictionary<string, string>();
        read.AddTo(metadata);
        foreach (BpeVocabulary again in (BpeVocabulary[])[BpeVocabulary.Load(In("saved")),
            BpeVocabulary.FromMetadata(metadata, "x")!])
            Assert.That(again.Normalizer.Normalize("IT\u2019S e\u0301"), Is.EqualTo("it\u2019s \u00e9"));
    }

    [Test]
    public void AFolderWithBothForms_IsNormalizedAsItsTokenizerJsonSays()
    {
        BpeVocabulary vocabulary = BpeTrainer.Train(Captions, 530, []);
        vocabulary.Save(Folder);
        WriteTokenizer(vocabulary, """{"type":"NFC"}""");
        Assert.That(BpeVocabulary.Load(Folder).Normalizer.Normalize("E\u0301 \u2019"), Is.EqualTo("\u00c9 \u2019"));
    }

    [TestCase("""{"type":"Precompiled"}""", "step 'Precompiled'")]
    [TestCase("""{"type":"Replace"}""", "malformed")]
    [TestCase("3", "malformed")]
    public void StepsThatAreNotKnown_AreAnError(string normalizer, string says)
    {
        WriteTokenizer(BpeTrainer.Train(Captions, 530, []), normalizer);
        Assert.That(() => BpeVocabulary.Load(In("tokenizer.json")),
            Throws.TypeOf<InputException>().With.Message.Contains(says).And.Message.Contains("tokenizer.json"));
    }

    [TestCase("""{"type":"Strip","strip_left":true,"strip_right":false}""", " a ", "a ")]
    [TestCase("""{"type":"Replace","pattern":{"String":"$"},"content":"$1"}""", "a$", "a$1")]
    [TestCase("""{"type":"Replace","pattern":{"Regex":"\\s+"},"content":"$0"}""", "a  b", "a$0b")]
    [TestCase("""{"type":"Prepend","prepend":"x"}""", "a", "xa")]
    [TestCase("""{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"}]}""", "Zoë", "Zoe")]
    [TestCase("null", "É’", "É’")]
    public void EachStep_DoesWhatHuggingFacesDoes(string json, string text, string expected)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        Assert.That(TextNormalizer.Parse(document.RootElement, "x").Normalize(text), Is.EqualTo(expected));
    }

    private void WriteTokenizer(BpeVocabulary vocabulary, string normalizer)
    {
        string merges = JsonSerializer.Serialize(vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}"));
        File.WriteAllText(In("tokenizer.json"), $"{{\"normalizer\":{normalizer},\"model\":{{\"vocab\":"
            + $"{JsonSerializer.Serialize(vocabulary.Ids)},\"merges\":{merges}}}}}");
    }
}
