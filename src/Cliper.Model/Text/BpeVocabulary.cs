using System.Buffers;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cliper.Model.IO;

namespace Cliper.Model.Text;

/// <summary>
/// A vocabulary of byte-pair encoding in CLIP's form: tokens with ids from 0 without a gap, and the merges that make
/// them, best first. The 256 bytes, written as printable characters, are tokens themselves, alone and at a word's end
/// ("&lt;/w&gt;").
/// </summary>
public sealed class BpeVocabulary
{
    /// <summary>What begins a text.</summary>
    public const string Start = "<|startoftext|>";

    /// <summary>What ends a text; the token with the largest id, where CLIP reads the text's feature.</summary>
    public const string End = "<|endoftext|>";

    /// <summary>What marks a token at the end of a word.</summary>
    public const string EndOfWord = "</w>";

    internal const string VocabularyName = "vocab.json", MergesName = "merges.txt", TokenizerName = "tokenizer.json",
        OpenAIName = "bpe_simple_vocab_16e6.txt.gz";

    private const string MetadataKey = "bpe_merges";
    private const string Header = "#version: 0.2";
    private const string Remedy = "get or write the vocabulary anew";
    private const long LongestFile = 64_000_000;

    /// <summary>OpenAI's file lists more merges than its models know: 49408 tokens less bytes and specials.</summary>
    private const int OpenAIMerges = 49152 - 256 - 2;

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
                throw new InputException($"{path}: token {ErrorText.Quote(token)} has id {id}; expected every id "
                    + $"from 0 to {_tokens.Length - 1} once; {Remedy}");
            _tokens[id] = token;
        }
        string[] absent = [.. Specials().Concat(ByteTokens()).Where(token => !ids.ContainsKey(token))];
        if (absent.Length > 0)
            throw new InputException($"{path}: {absent.Length} of CLIP's own tokens are missing, such as "
                + $"{ErrorText.Quote(absent[0])}; {Remedy}");
        if (EndId != Count - 1)
            throw new InputException($"{path}: {End} has id {EndId}, expected the largest, {Count - 1}; {Remedy}");
        var seen = new HashSet<(string, string)>();
        for (int rank = 0; rank < merges.Length; rank++)
        {
            (string left, string right) = merges[rank];
            if (!ids.ContainsKey(left) || !ids.ContainsKey(right) || !ids.ContainsKey(left + right)
                || !seen.Add((left, right)))
                throw new InputException($"{path}: merge {rank + 1}, {ErrorText.Quote($"{left} {right}")}: expected "
                    + $"two tokens that make a third, once; {Remedy}");
        }
    }

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

    /// <summary>What is joined, best first.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges => _merges;

    /// <summary>
    /// The vocabulary that CLIP makes of merges: bytes, bytes at a word's end, the merged tokens, start and end.
    /// </summary>
    /// <param name="merges">What is joined, best first; tokens in CLIP's writing.</param>
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

    /// <summary>
    /// Reads a vocabulary: a folder with vocab.json and merges.txt, with tokenizer.json, or with OpenAI's merges; or
    /// such a tokenizer.json, or merges as text, gzipped (.gz) or not.
    /// </summary>
    /// <exception cref="InputException">There is none, or it is damaged.</exception>
    public static BpeVocabulary Load(string path)
    {
        if (Directory.Exists(path))
            return LoadFolder(path) ?? throw new InputException($"{path}: no tokenizer in this folder: expected "
                + $"{VocabularyName} and {MergesName}, {TokenizerName}, or {OpenAIName}");
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file: expected a tokenizer: a folder with {VocabularyName} and "
                + $"{MergesName}, a {TokenizerName}, or OpenAI's {OpenAIName}");
        return Path.GetExtension(path).ToLowerInvariant() switch
        {
            ".json" when Path.GetFileName(path) == VocabularyName =>
                LoadPair(path, Path.Combine(Path.GetDirectoryName(path) ?? "", MergesName)),
            ".json" => LoadTokenizer(path),
            ".gz" => LoadMerges(path, Unzip(path)),
            ".txt" => LoadMerges(path, JsonInput.ReadBytes(path, LongestFile)),
            _ => throw new InputException($"{path}: expected a tokenizer that ends in .json, .txt or .txt.gz, or a "
                + "folder"),
        };
    }

    /// <summary>The vocabulary in a folder; null if there is none.</summary>
    internal static BpeVocabulary? LoadFolder(string folder)
    {
        string vocabulary = Path.Combine(folder, VocabularyName), tokenizer = Path.Combine(folder, TokenizerName),
            merges = Path.Combine(folder, OpenAIName);
        return File.Exists(vocabulary) ? LoadPair(vocabulary, Path.Combine(folder, MergesName))
            : File.Exists(tokenizer) ? LoadTokenizer(tokenizer)
            : File.Exists(merges) ? LoadMerges(merges, Unzip(merges))
            : null;
    }

    /// <summary>The vocabulary in the metadata of weights; null if there is none.</summary>
    /// <param name="metadata">Of a safetensors file.</param>
    /// <param name="path">The file, for messages.</param>
    /// <exception cref="InputException">It is damaged.</exception>
    public static BpeVocabulary? FromMetadata(IReadOnlyDictionary<string, string> metadata, string path) =>
        metadata.TryGetValue(MetadataKey, out string? merges) ? FromMerges(ParseMerges(merges, path), path) : null;

    /// <summary>Puts the vocabulary into the metadata of weights.</summary>
    /// <exception cref="InvalidOperationException">It is not in CLIP's own order, so that the merges alone do not say
    /// it.</exception>
    public void AddTo(IDictionary<string, string> metadata)
    {
        if (!FromMerges(_merges).Tokens.SequenceEqual(_tokens))
            throw new InvalidOperationException("the vocabulary is not in the order of its merges: keep it in files "
                + "beside the weights");
        metadata[MetadataKey] = MergesText();
    }

    /// <summary>Writes vocab.json and merges.txt into a folder.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void Save(string folder)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var options = new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        using (var json = new Utf8JsonWriter(buffer, options))
        {
            json.WriteStartObject();
            for (int id = 0; id < Count; id++)
                json.WriteNumber(_tokens[id], id);
            json.WriteEndObject();
        }
        AtomicFile.Write(Path.Combine(folder, VocabularyName), stream => stream.Write(buffer.WrittenSpan));
        AtomicFile.Write(Path.Combine(folder, MergesName), stream =>
            stream.Write(Encoding.UTF8.GetBytes(MergesText())));
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

    private static BpeVocabulary LoadPair(string vocabularyPath, string mergesPath)
    {
        using JsonDocument document = JsonInput.Read(vocabularyPath, LongestFile);
        return new BpeVocabulary(vocabularyPath, ReadIds(vocabularyPath, document.RootElement),
            ParseMerges(Decode(mergesPath, JsonInput.ReadBytes(mergesPath, LongestFile)), mergesPath));
    }

    private static BpeVocabulary LoadTokenizer(string path)
    {
        using JsonDocument document = JsonInput.Read(path, LongestFile);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("model", out JsonElement model)
            || model.ValueKind != JsonValueKind.Object || !model.TryGetProperty("vocab", out JsonElement vocabulary)
            || !model.TryGetProperty("merges", out JsonElement merges) || merges.ValueKind != JsonValueKind.Array)
            throw new InputException($"{path}: expected model.vocab and model.merges of a byte-pair encoding; "
                + $"{Remedy}");
        Dictionary<string, int> ids = ReadIds(path, vocabulary);
        if (document.RootElement.TryGetProperty("added_tokens", out JsonElement added)
            && added.ValueKind == JsonValueKind.Array)
            foreach (JsonElement token in added.EnumerateArray())
            {
                if (token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("content", out JsonElement content)
                    || content.ValueKind != JsonValueKind.String || !token.TryGetProperty("id", out JsonElement number)
                    || number.ValueKind != JsonValueKind.Number || !number.TryGetInt32(out int id)
                    || (!ids.TryAdd(content.GetString()!, id) && ids[content.GetString()!] != id))
                    throw new InputException($"{path}: an added token needs content and an id that agree with the "
                        + $"vocabulary; {Remedy}");
            }
        var pairs = new List<(string, string)>();
        foreach (JsonElement merge in merges.EnumerateArray())
            pairs.Add(merge.ValueKind switch
            {
                JsonValueKind.String => ParseMerge(merge.GetString()!, path, pairs.Count + 1),
                JsonValueKind.Array when merge.GetArrayLength() == 2 && merge[0].ValueKind == JsonValueKind.String
                    && merge[1].ValueKind == JsonValueKind.String => (merge[0].GetString()!, merge[1].GetString()!),
                _ => throw BadMerge(path, pairs.Count + 1, merge.GetRawText()),
            });
        return new BpeVocabulary(path, ids, [.. pairs]);
    }

    private static BpeVocabulary LoadMerges(string path, byte[] bytes)
    {
        (string, string)[] merges = ParseMerges(Decode(path, bytes), path);
        return FromMerges(merges.Length > OpenAIMerges ? merges[..OpenAIMerges] : merges, path);
    }

    private static Dictionary<string, int> ReadIds(string path, JsonElement vocabulary)
    {
        var ids = new Dictionary<string, int>();
        if (vocabulary.ValueKind != JsonValueKind.Object)
            throw new InputException($"{path}: expected an object of tokens and ids; {Remedy}");
        foreach (JsonProperty token in vocabulary.EnumerateObject())
            ids.Add(token.Name, token.Value.ValueKind == JsonValueKind.Number && token.Value.TryGetInt32(out int id)
                ? id
                : throw new InputException($"{path}: token {ErrorText.Quote(token.Name)}: expected a whole number "
                    + $"as its id; {Remedy}"));
        return ids;
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
            + $"{ErrorText.Quote(found)}; {Remedy}");

    private static byte[] Unzip(string path)
    {
        using var zipped = new MemoryStream(JsonInput.ReadBytes(path, LongestFile));
        using var unzipped = new MemoryStream();
        try
        {
            using var stream = new GZipStream(zipped, CompressionMode.Decompress);
            var buffer = new byte[1 << 16];
            for (int read; (read = stream.Read(buffer)) > 0;)
            {
                unzipped.Write(buffer, 0, read);
                if (unzipped.Length > LongestFile)
                    throw new InputException($"{path}: more than {LongestFile:N0} bytes unpacked; {Remedy}");
            }
        }
        catch (InvalidDataException e)
        {
            throw new InputException($"{path}: not a sound gzip file: {e.Message}; {Remedy}", e);
        }
        return unzipped.ToArray();
    }

    private static string Decode(string path, byte[] bytes)
    {
        try
        {
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
        }
        catch (DecoderFallbackException e)
        {
            throw new InputException($"{path}: not UTF-8 text; {Remedy}", e);
        }
    }

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
