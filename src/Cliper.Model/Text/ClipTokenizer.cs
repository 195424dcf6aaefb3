using Cliper.Model.IO;
using Microsoft.ML.Tokenizers;

namespace Cliper.Model.Text;

/// <summary>
/// Texts to CLIP's token ids: normalized as the tokenizer's files say, split into words, each word by byte-pair
/// encoding (Sennrich, Haddow, Birch 2016, arXiv 1508.07909; over bytes), with start and end token. Thread-safe.
/// </summary>
public sealed class ClipTokenizer
{
    private readonly BpeTokenizer _engine;

    /// <summary>A tokenizer of the given vocabulary.</summary>
    public ClipTokenizer(BpeVocabulary vocabulary)
    {
        Vocabulary = vocabulary;
        _engine = BpeTokenizer.Create(new BpeOptions(vocabulary.Ids)
        {
            Merges = vocabulary.Merges.Select(merge => $"{merge.Left} {merge.Right}"),
            EndOfWordSuffix = BpeVocabulary.EndOfWord,
            ByteLevel = true,
            PreTokenizer = new OneWord(),
        });
    }

    /// <summary>The tokens.</summary>
    public BpeVocabulary Vocabulary { get; }

    /// <summary>Reads a tokenizer; see <see cref="BpeVocabulary.Load"/>.</summary>
    /// <exception cref="InputException">There is none, or it is damaged.</exception>
    public static ClipTokenizer Load(string path) => new(BpeVocabulary.Load(path));

    /// <summary>Ids of a text without start and end token; none for an empty text. "&lt;|startoftext|&gt;" and
    /// "&lt;|endoftext|&gt;" in it become their tokens.</summary>
    public int[] EncodeWords(string text)
    {
        var ids = new List<int>();
        foreach (string word in WordSplitter.Split(Vocabulary.Normalizer.Normalize(text)))
            if (word == BpeVocabulary.Start)
                ids.Add(Vocabulary.StartId);
            else if (word == BpeVocabulary.End)
                ids.Add(Vocabulary.EndId);
            else
                ids.AddRange(_engine.EncodeToIds(word));
        return [.. ids];
    }

    /// <summary>Ids of a text with start and end token and nothing after it.</summary>
    /// <param name="text">Any text; an empty one gives start and end.</param>
    /// <param name="contextLength">The longest result, at least 2.</param>
    /// <param name="truncate">Whether a longer text is cut, its last token becoming the end token, as CLIP does on
    /// request.</param>
    /// <exception cref="InputException">The text is longer and is not to be cut.</exception>
    public int[] Encode(string text, int contextLength, bool truncate = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextLength, 2);
        int[] words = EncodeWords(text);
        if (words.Length + 2 > contextLength)
            words = truncate ? words[..(contextLength - 2)]
                : throw new InputException($"text {ForeignText.Quote(text)} has {words.Length + 2} tokens with start "
                    + $"and end, the model takes {contextLength}; shorten it");
        return [Vocabulary.StartId, .. words, Vocabulary.EndId];
    }

    /// <summary>Leaves the engine's input whole: it is given one word at a time, and would split it by a rule of its
    /// own.</summary>
    private sealed class OneWord : PreTokenizer
    {
        public override IEnumerable<(int Offset, int Length)> PreTokenize(string text) => [(0, text.Length)];

        public override IEnumerable<(int Offset, int Length)> PreTokenize(ReadOnlySpan<char> text) =>
            [(0, text.Length)];
    }
}
