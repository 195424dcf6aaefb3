namespace Cliper.Model.Text;

/// <summary>
/// Learns a small vocabulary from captions: the most frequent pair of neighboring tokens is joined, again and again
/// (Sennrich, Haddow, Birch 2016, algorithm 1). For vocabularies of some hundred tokens; deterministic.
/// </summary>
internal static class BpeTrainer
{
    /// <summary>Tokens of every vocabulary: 256 bytes, 256 bytes at a word's end, start and end.</summary>
    public const int SmallestVocabulary = 2 * 256 + 2;

    // More than any count in captions: these words' pairs come first.
    private const long WholeWordWeight = 1L << 40;

    /// <summary>Learns a vocabulary.</summary>
    /// <param name="captions">The texts, cleaned and split like any others; a word counts as often as it
    /// occurs.</param>
    /// <param name="vocabularySize">Most tokens, at least <see cref="SmallestVocabulary"/>; fewer when no pair is left
    /// that occurs twice.</param>
    /// <param name="wholeWords">Words, such as the classes' names, that shall be one token each.</param>
    /// <exception cref="SettingsException">The size is too small, or leaves no room for the whole words.</exception>
    public static BpeVocabulary Train(IEnumerable<string> captions, int vocabularySize, IEnumerable<string> wholeWords)
    {
        if (vocabularySize < SmallestVocabulary)
            throw new SettingsException($"vocabulary size {vocabularySize}: expected at least {SmallestVocabulary}");
        var counts = new SortedDictionary<string, long>(StringComparer.Ordinal);
        Count(captions, 1);
        Count(wholeWords, WholeWordWeight);
        List<(List<string> Tokens, long Count)> words = [.. counts.Select(word => (Spell(word.Key), word.Value))];

        var merges = new List<(string Left, string Right)>();
        var tokens = new HashSet<string>();
        while (BestPair(words) is { } best)
        {
            if (!tokens.Contains(best.Left + best.Right) && tokens.Count + SmallestVocabulary == vocabularySize)
            {
                if (best.Count >= WholeWordWeight)
                    throw new SettingsException($"vocabulary size {vocabularySize} leaves no room for all whole "
                        + "words; take a larger one");
                break;
            }
            merges.Add((best.Left, best.Right));
            tokens.Add(best.Left + best.Right);
            foreach ((List<string> word, _) in words)
                Join(word, best.Left, best.Right);
        }
        return BpeVocabulary.FromMerges(merges);

        void Count(IEnumerable<string> texts, long weight)
        {
            foreach (string text in texts)
                foreach (string word in WordSplitter.Split(TextCleaner.Clean(text)))
                    if (word is not (BpeVocabulary.Start or BpeVocabulary.End))
                        counts[word] = counts.GetValueOrDefault(word) + weight;
        }
    }

    private static List<string> Spell(string word)
    {
        List<string> tokens = [.. BpeVocabulary.WriteBytes(word).Select(c => c.ToString())];
        tokens[^1] += BpeVocabulary.EndOfWord;
        return tokens;
    }

    /// <summary>The pair that occurs most often, at least twice; of several the first in ordinal order.</summary>
    private static (string Left, string Right, long Count)? BestPair(List<(List<string> Tokens, long Count)> words)
    {
        var counts = new Dictionary<(string Left, string Right), long>();
        foreach ((List<string> tokens, long count) in words)
            for (int i = 0; i + 1 < tokens.Count; i++)
                counts[(tokens[i], tokens[i + 1])] = counts.GetValueOrDefault((tokens[i], tokens[i + 1])) + count;
        (string Left, string Right, long Count)? best = null;
        foreach (((string left, string right), long count) in counts)
            if (count >= 2 && (best is not { } b || count > b.Count
                || (count == b.Count && Compare(left, right, b.Left, b.Right) < 0)))
                best = (left, right, count);
        return best;
    }

    private static int Compare(string left, string right, string otherLeft, string otherRight) =>
        string.CompareOrdinal(left, otherLeft) is var order and not 0 ? order
            : string.CompareOrdinal(right, otherRight);

    private static void Join(List<string> tokens, string left, string right)
    {
        for (int i = 0; i + 1 < tokens.Count; i++)
            if (tokens[i] == left && tokens[i + 1] == right)
            {
                tokens[i] = left + right;
                tokens.RemoveAt(i + 1);
            }
    }
}
