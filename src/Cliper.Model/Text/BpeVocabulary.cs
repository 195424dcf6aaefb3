using System.Text;
using Cliper.Model.IO;

namespace Cliper.Model.Text;

/// <summary>
/// A vocabulary of byte-pair encoding in CLIP's form: tokens with ids from 0 without a gap, and the merges that make
/// them, best first. The 256 bytes, written as printable characters, are tokens themselves, alone and at a word's end
/// ("&lt;/w&gt;").
/// </summary>
public sealed partial class BpeVocabulary
{
    /// <summary>The token that begins a text.</summary>
    public const string Start = "<|startoftext|>";

    /// <summary>The token that ends a text, with the largest id, where CLIP reads the text's feature.</summary>
    public const string End = "<|endoftext|>";

    /// <summary>The mark of a token at the end of a word.</summary>
    public const string EndOfWord = "</w>";

    private const string MetadataKey = "bpe_merges", NormalizerKey = "text_normalizer";
    private const string Header = "#version: 0.2";
    private const string Remedy = "get or write the vocabulary anew";

    private readonly Dictionary<string, int> _ids;
    private readonly string[] _tokens;
    private readonly (string Left, string Right)[] _merges;

    private BpeVocabulary(string path, Dictionary<string, int> ids, (string, string)[] merges)
    {
        _ids = ids;
        _merges = merges;
        _tokens = new string[ids.Count];
        foreach ((string token, int id) in ids)
        {
            if (id < 0 || id >= _tokens.Length || _tokens[id] is not null)
                throw new InputException($"{path}: token {ForeignText.Quote(token)} has id {id}; expected every id "
                    + $"from 0 to {_tokens.Length - 1} once; {Remedy}");
            _tokens[id] = token;
        }
        string[] absent = [.. Specials().Concat(ByteTokens()).Where(token => !ids.ContainsKey(token))];
        if (absent.Length > 0)
            throw new InputException($"{path}: {absent.Length} of CLIP's own tokens are missing, such as "
                + $"{ForeignText.Quote(absent[0])}; {Remedy}");
        if (EndId != Count - 1)
            throw new InputException($"{path}: {End} has id {EndId}, expected the largest, {Count - 1}; {Remedy}");
        var seen = new HashSet<(string, string)>();
        for (int rank = 0; rank < merges.Length; rank++)
        {
            (string left, string right) = merges[rank];
            if (!ids.ContainsKey(left) || !ids.ContainsKey(right) || !ids.ContainsKey(left + right)
                || !seen.Add((left, right)))
                throw new InputException($"{path}: merge {rank + 1}, {ForeignText.Quote($"{left} {right}")}: expected "
                    + $"two tokens that make a third, once; {Remedy}");
        }
    }

    /// <summary>The first step on a text: OpenAI's cleaning, unless a tokenizer.json says otherwise.</summary>
    internal TextNormalizer Normalizer { get; private set; } = TextNormalizer.OpenAI;

    /// <summary>Number of tokens.</summary>
    public int Count => _tokens.Length;

    /// <summary>Id of <see cref="Start"/>.</summary>
    public int StartId => _ids[Start];

    /// <summary>Id of <see cref="End"/>.</summary>
    public int EndId => _ids[End];

    /// <summary>Ids by token, as the files write them.</summary>
    public IReadOnlyDictionary<string, int> Ids => _ids;

    /// <summary>Tokens by id.</summary>
    public IReadOnlyList<string> Tokens => _tokens;

    /// <summary>The pairs of tokens that are merged, best first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges => _merges;

    /// <summary>
    /// The vocabulary that CLIP makes of merges: bytes, bytes at a word's end, the merged tokens, start and end.
    /// </summary>
    /// <param name="merges">The pairs of tokens that are merged, best first; tokens in CLIP's writing.</param>
    /// <param name="path">Where they come from, for messages.</param>
    /// <exception cref="InputException">A merge joins what is no token, or repeats another.</exception>
    public static BpeVocabulary FromMerges(IReadOnlyList<(string Left, string Right)> merges, string path = "merges")
    {
        var ids = new Dictionary<string, int>();
        foreach (string token in ByteTokens())
            ids.Add(token, ids.Count);
        // Two ways to the same token, "in" + "g" and "i" + "ng", share its id.
        foreach ((string left, string right) in merges)
            ids.TryAdd(left + right, ids.Count);
        foreach (string token in Specials())
            if (!ids.TryAdd(token, ids.Count))
                throw new InputException($"{path}: a merge makes {token}; {Remedy}");
        return new BpeVocabulary(path, ids, [.. merges]);
    }

    /// <summary>The vocabulary in the metadata of weights; null if there is none.</summary>
    /// <param name="metadata">Metadata of a safetensors file.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InputException">It is damaged.</exception>
    public static BpeVocabulary? FromMetadata(IReadOnlyDictionary<string, string> metadata, string path) =>
        !metadata.TryGetValue(MetadataKey, out string? merges) ? null
        : FromMerges(ParseMerges(merges, path), path)
            .With(metadata.TryGetValue(NormalizerKey, out string? steps) ? ParseNormalizer(steps, path) : null);

    /// <summary>Puts the vocabulary into the metadata of weights.</summary>
    /// <exception cref="InvalidOperationException">It is not in CLIP's own order, so that the merges alone do not say
    /// it.</exception>
    public void AddTo(IDictionary<string, string> metadata)
    {
        if (!FromMerges(_merges).Tokens.SequenceEqual(_tokens))
            throw new InvalidOperationException("the vocabulary is not in the order of its merges: keep it in files "
                + "beside the weights");
        metadata[MetadataKey] = MergesText();
        if (Normalizer.Json is { } steps)
            metadata[NormalizerKey] = steps;
    }

    /// <summary>The bytes of a word as CLIP writes them: printable ones as themselves, the others from U+0100
    /// on.</summary>
    internal static string WriteBytes(string word)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(word);
        return string.Create(bytes.Length, bytes, static (target, source) =>
        {
            for (int i = 0; i < source.Length; i++)
                target[i] = ByteCharacters[source[i]];
        });
    }

    /// <summary>A token as a reader sees it: its bytes as text ("�" for a part of a character), without the mark of a
    /// word's end.</summary>
    public static string ToText(string token)
    {
        if (token is Start or End)
            return token;
        if (token.EndsWith(EndOfWord, StringComparison.Ordinal))
            token = token[..^EndOfWord.Length];
        return Encoding.UTF8.GetString([.. token.Select(c => (byte)Array.IndexOf(ByteCharacters, c))]);
    }

    private BpeVocabulary With(TextNormalizer? normalizer)
    {
        Normalizer = normalizer ?? Normalizer;
        return this;
    }

    private static (string, string)[] ParseMerges(string text, string path)
    {
        var merges = new List<(string, string)>();
        int line = 0;
        foreach (ReadOnlySpan<char> raw in text.AsSpan().EnumerateLines())
        {
            line++;
            // The first line is a header, in OpenAI's file with its own name before it.
            if (raw.IsEmpty || (line == 1 && raw.Contains("#version", StringComparison.Ordinal)))
                continue;
            merges.Add(ParseMerge(raw.ToString(), path, line));
        }
        return [.. merges];
    }

    private static (string Left, string Right) ParseMerge(string text, string path, int line)
    {
        int space = text.IndexOf(' ');
        return space > 0 && space < text.Length - 1 && text.IndexOf(' ', space + 1) < 0
            ? (text[..space], text[(space + 1)..]) : throw BadMerge(path, line, text);
    }

    private static InputException BadMerge(string path, int line, string found) =>
        new($"{path}: line or merge {line}: expected two tokens with a space between them, found "
            + $"{ForeignText.Quote(found)}; {Remedy}");

    private string MergesText() =>
        Header + "\n" + string.Concat(_merges.Select(merge => $"{merge.Left} {merge.Right}\n"));

    private static string[] Specials() => [Start, End];

    private static IEnumerable<string> ByteTokens()
    {
        // Ordered by character, which puts the printable bytes first: the order of CLIP's ids.
        IEnumerable<string> bytes = ByteCharacters.Order().Select(c => c.ToString());
        return bytes.Concat(bytes.Select(token => token + EndOfWord));
    }

    private static readonly char[] ByteCharacters = MakeByteCharacters();

    private static char[] MakeByteCharacters()
    {
        var characters = new char[256];
        int next = 256;
        for (int value = 0; value < 256; value++)
            characters[value] = (char)(value is >= '!' and <= '~' or >= '¡' and <= '¬' or >= '®' ? value : next++);
        return characters;
    }
}
