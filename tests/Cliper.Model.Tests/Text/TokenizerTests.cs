using System.IO.Compression;
using System.Text;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Text;

public sealed class TokenizerTests : TemporaryFolder
{
    private static readonly string[] Captions = [.. Enumerable.Repeat("a drawing of a happy face", 9), "a sad face",
        "a sad old face",
        "surprise, surprise: naïve 😀 123 123"];

    private static readonly Lazy<ClipTokenizer> Small = new(() =>
        new ClipTokenizer(BpeTrainer.Train(Captions, 600, ["happy", "disgust"])));

    private static ClipTokenizer OpenAI(string name) => ClipTokenizer.Load(SharedFiles.OrIgnore(name));

    [TestCase("fixtures/bpe_simple_vocab_16e6.txt.gz")]
    [TestCase("clip-vit-base-patch16")]
    [TestCase("clip-vit-base-patch16/tokenizer.json")]
    [TestCase("clip-vit-base-patch16/merges.txt")]
    [TestCase("clip-vit-base-patch16/vocab.json")]
    public void OpenAIsVocabularyIsReadFromEveryForm(string name)
    {
        ClipTokenizer tokenizer = OpenAI(name);
        Assert.Multiple(() =>
        {
            Assert.That(tokenizer.Vocabulary.Count, Is.EqualTo(49408));
            Assert.That(tokenizer.Encode("a photo of a cat", 77),
                Is.EqualTo(new[] { 49406, 320, 1125, 539, 320, 2368, 49407 }));
            Assert.That(tokenizer.Encode("", 77), Is.EqualTo(new[] { 49406, 49407 }));
        });
    }

    [Test]
    public void TheDescriptorPromptIsThePapers()
    {
        DescriptorPrompt prompt = DescriptorPrompt.Create(OpenAI("fixtures/bpe_simple_vocab_16e6.txt.gz"), 4, 77);
        Assert.Multiple(() =>
        {
            Assert.That(prompt.Ids, Is.EqualTo(new[] { 49406, 550, 1014, 1125, 539, 343, 343, 343, 343, 269, 49407 }));
            Assert.That((prompt.SlotStart, prompt.Slots, prompt.End), Is.EqualTo((5, 4, 10)));
            Assert.That(() => DescriptorPrompt.Create(Small.Value, 70, 77), Throws.TypeOf<SettingsException>());
        });
    }

    [Test]
    public void TheEngineAgreesWithAPlainEncoding([Values] bool openAI)
    {
        ClipTokenizer tokenizer = openAI ? OpenAI("fixtures/bpe_simple_vocab_16e6.txt.gz") : Small.Value;
        BpeVocabulary vocabulary = tokenizer.Vocabulary;
        Dictionary<(string, string), int> ranks = vocabulary.Merges.Select((merge, rank) =>
            (merge, rank)).ToDictionary();
        var random = new Random(3);
        for (int i = 0; i < 3000; i++)
        {
            string text = RandomText(random, vocabulary);
            int[] expected = [.. WordSplitter.Split(TextCleaner.Clean(text)).SelectMany(word =>
                Plain(word, vocabulary, ranks))];
            Assert.That(tokenizer.EncodeWords(text), Is.EqualTo(expected), text);
        }
    }

    /// <summary>The pair of lowest rank is joined wherever it stands, until none is left.</summary>
    private static IEnumerable<int> Plain(string word, BpeVocabulary vocabulary, Dictionary<(string, string),
        int> ranks)
    {
        if (word is BpeVocabulary.Start or BpeVocabulary.End)
            return [vocabulary.Ids[word]];
        List<string> tokens = [.. BpeVocabulary.WriteBytes(word).Select(c => c.ToString())];
        tokens[^1] += BpeVocabulary.EndOfWord;
        while (tokens.Count > 1)
        {
            (int Rank, int At) best = tokens.Zip(tokens.Skip(1)).Select((pair, at) =>
                (ranks.GetValueOrDefault(pair, int.MaxValue), at)).Min();
            if (best.Rank == int.MaxValue)
                break;
            (string left, string right) = (tokens[best.At], tokens[best.At + 1]);
            for (int i = 0; i + 1 < tokens.Count; i++)
                if (tokens[i] == left && tokens[i + 1] == right)
                {
                    tokens[i] += right;
                    tokens.RemoveAt(i + 1);
                }
        }
        return tokens.Select(token => vocabulary.Ids[token]);
    }

    private static string RandomText(Random random, BpeVocabulary vocabulary)
    {
        var text = new StringBuilder();
        int parts = random.Next(1, 8);
        for (int part = 0; part < parts; part++)
            text.Append(random.Next(8) switch
            {
                0 or 1 or 2 => BpeVocabulary.ToText(vocabulary.Tokens[random.Next(vocabulary.Count)]),
                3 => " ",
                4 => "'re 's don't 5th £3.50".Substring(random.Next(10), random.Next(10)),
                5 => ((char)random.Next(1, 0x3000)).ToString(),
                6 => new Rune(random.Next(0x10000, 0x20000)).ToString(),
                // Any code unit, half a surrogate pair among them.
                _ => ((char)random.Next(0x10000)).ToString(),
            });
        return text.ToString();
    }

    [TestCase("  Many\t \u00a0spaces\u3000and\r\nlines ", "many spaces and lines")]
    [TestCase("Tom &amp;amp; Jerry &lt;3", "tom & jerry <3")]
    [TestCase("İstanbul", "i\u0307stanbul")]
    [TestCase("ΟΔΟΣ ΣΑΣ Σ", "οδος σας σ")]
    [TestCase("ΑΣ' ΑΣ'Α Α.Σ", "ας' ασ'α α.ς")]
    [TestCase("ÅNGSTRÖM 𐐀", "ångström 𐐨")]
    [TestCase("", "")]
    public void TextIsCleanedAndLoweredAsByPython(string text, string expected) =>
        Assert.That(TextCleaner.Clean(text), Is.EqualTo(expected));

    [TestCase("don't stop; it's 3.14", "don|'t|stop|;|it|'s|3|.|1|4")]
    [TestCase("'tis rock'n'roll'll", "'t|is|rock|'|n|'|roll|'ll")]
    [TestCase("<|startoftext|>hi<|endoftext|>", "<|startoftext|>_hi_<|endoftext|>")]
    [TestCase("!<|endoftext|>", "!<|_endoftext_|>")]
    [TestCase("𝐀𝐁!𝟏𝟐½", "𝐀𝐁|!|𝟏|𝟐|½")]
    [TestCase("a_b-c", "a|_|b|-|c")]
    public void WordsAreSplitAsByCLIPsPattern(string text, string expected)
    {
        // Cuts are written "|", or "_" where the text has that sign. A run of symbols takes in what would begin a
        // special token.
        char cut = expected.Contains('_') && !text.Contains('_') ? '_' : '|';
        Assert.That(WordSplitter.Split(text), Is.EqualTo(expected.Split(cut)));
    }

    [Test]
    public void ALongTextIsAnErrorOrIsCutBeforeTheEndToken()
    {
        int[] all = Small.Value.Encode("happy happy happy face", 77);
        Assert.That(() => Small.Value.Encode("happy happy happy face", 5),
            Throws.TypeOf<InputException>().With.Message.Contains("6 tokens"));
        Assert.That(Small.Value.Encode("happy happy happy face", 5, truncate: true),
            Is.EqualTo(new[] { all[0], all[1], all[2], all[3], all[5] }));
        Assert.That(Small.Value.Encode("happy happy happy face", 6), Is.EqualTo(all));
    }

    [Test]
    public void ALearnedVocabularyHasWholeWordsAndRepeats()
    {
        ClipTokenizer tokenizer = Small.Value;
        Assert.Multiple(() =>
        {
            // "disgust" occurs in no caption, "happy" and "face" often.
            Assert.That(tokenizer.EncodeWords("happy disgust face"), Has.Length.EqualTo(3));
            Assert.That(BpeVocabulary.ToText(tokenizer.Vocabulary.Tokens[tokenizer.EncodeWords("disgust")[0]]),
                Is.EqualTo("disgust"));
            Assert.That(tokenizer.Vocabulary.Count, Is.InRange(BpeTrainer.SmallestVocabulary + 10, 600));
            Assert.That(BpeTrainer.Train(Captions.Reverse(), 600, ["disgust", "happy"]).Tokens,
                Is.EqualTo(tokenizer.Vocabulary.Tokens));
            Assert.That(BpeTrainer.Train(Captions, 530, ["happy", "disgust"]).Count, Is.EqualTo(530));
            Assert.That(() => BpeTrainer.Train([], 515, ["happy", "disgust"]), Throws.TypeOf<SettingsException>());
            Assert.That(() => BpeTrainer.Train([], 513, []), Throws.TypeOf<SettingsException>());
        });
    }

    [Test]
    public void ALearnedVocabularyIsReadBackFromFilesAndMetadata()
    {
        BpeVocabulary vocabulary = Small.Value.Vocabulary;
        vocabulary.Save(Folder);
        var metadata = new Dictionary<string, string>();
        vocabulary.AddTo(metadata);
        using (FileStream file = File.Create(In("merges.txt.gz")))
        using (var zip = new GZipStream(file, CompressionLevel.Fastest))
            zip.Write(File.ReadAllBytes(In("merges.txt")));
        Assert.Multiple(() =>
        {
            foreach (BpeVocabulary read in new[] { BpeVocabulary.Load(Folder),
                BpeVocabulary.FromMetadata(metadata, "x")!,
                BpeVocabulary.Load(In("merges.txt.gz")), BpeVocabulary.Load(In("merges.txt")) })
            {
                Assert.That(read.Tokens, Is.EqualTo(vocabulary.Tokens));
                Assert.That(read.Merges, Is.EqualTo(vocabulary.Merges));
            }
            Assert.That(BpeVocabulary.FromMetadata(new Dictionary<string, string>(), "x"), Is.Null);
        });
    }

    [Test]
    public void TheTokenizerOfWeightsIsFoundAndChecked()
    {
        var config = new ClipConfig
        {
            ImageSize = 4,
            PatchSize = 4,
            VisionWidth = 4,
            VisionLayers = 1,
            VisionHeads = 1,
            TextWidth = 4,
            TextLayers = 1,
            TextHeads = 1,
            VocabularySize = Small.Value.Vocabulary.Count,
            EmbedSize = 4,
        };
        using ClipWeights random = ClipWeights.Random(config, 1);
        random.Save(In("bare"));
        var metadata = new Dictionary<string, string>();
        Small.Value.Vocabulary.AddTo(metadata);
        random.Save(In("whole"), metadata: metadata);
        using ClipWeights bare = ClipWeights.Load(In("bare")), whole = ClipWeights.Load(In("whole"));

        Assert.That(() => WeightsTokenizer.For(bare, In("bare")),
            Throws.TypeOf<InputException>().With.Message.Contains("no tokenizer"));
        Assert.That(WeightsTokenizer.For(whole, In("whole")).Vocabulary.Tokens,
            Is.EqualTo(Small.Value.Vocabulary.Tokens));
        Small.Value.Vocabulary.Save(Folder);
        Assert.That(WeightsTokenizer.For(bare, In("bare")).Vocabulary.Tokens,
            Is.EqualTo(Small.Value.Vocabulary.Tokens));
        BpeTrainer.Train(Captions, 520, []).Save(In("other"));
        Assert.That(() => WeightsTokenizer.For(bare, In("bare"), In("other")),
            Throws.TypeOf<InputException>().With.Message.Contains("520 tokens"));
    }

    [TestCase("a photo of {}", ExpectedResult = "a photo of anger")]
    [TestCase("{}!", ExpectedResult = "anger!")]
    public string TemplatesAreFilled(string template) => PromptTemplates.Fill(template, "anger");

    [TestCase("no place")]
    [TestCase("{} and {}")]
    public void ATemplateHasOnePlace(string template) =>
        Assert.That(() => PromptTemplates.Fill(template, "x"),
            Throws.TypeOf<SettingsException>().With.Message.Contains(template));

    [TestCase("""{"a":0""", "JSON")]
    [TestCase("[]", "object")]
    [TestCase("""{"a":"0"}""", "'a'")]
    [TestCase("""{"a":1}""", "id 1")]
    [TestCase("""{"a":-1}""", "id -1")]
    [TestCase("""{"a":0,"b":0}""", "once")]
    [TestCase("""{"a":0,"b":1}""", "missing")]
    public void ADamagedVocabularyIsAnError(string vocabulary, string says)
    {
        File.WriteAllText(In("vocab.json"), vocabulary);
        File.WriteAllText(In("merges.txt"), "#version: 0.2\n");
        Assert.That(() => BpeVocabulary.Load(Folder),
            Throws.TypeOf<InputException>().With.Message.Contains(says).And.Message.Contains(Folder));
    }

    [TestCase("#version: 0.2\na b c\n", "merge 2")]
    [TestCase("a\n", "merge 1")]
    [TestCase(" a\n", "merge 1")]
    [TestCase("a b\na b\n", "merge 2")]
    [TestCase("a bc\n", "merge 1")]
    public void DamagedMergesAreAnError(string merges, string says)
    {
        File.WriteAllText(In("merges.txt"), merges);
        Assert.That(() => BpeVocabulary.Load(In("merges.txt")),
            Throws.TypeOf<InputException>().With.Message.Contains(says));
    }

    [Test]
    public void OtherFilesAreNoTokenizer()
    {
        File.WriteAllBytes(In("x.gz"), [1, 2, 3]);
        File.WriteAllBytes(In("x.txt"), [0xff, 0xfe, 0xfd]);
        File.WriteAllText(In("tokenizer.json"), "{}");
        File.WriteAllText(In("x.bin"), "");
        Assert.Multiple(() =>
        {
            foreach (string name in new[] { "x.gz", "x.txt", "tokenizer.json", "x.bin", "none", "" })
                Assert.That(() => BpeVocabulary.Load(In(name)),
                    Throws.TypeOf<InputException>().With.Message.Contains(Folder), name);
        });
    }
}
