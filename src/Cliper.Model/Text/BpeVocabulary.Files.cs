using System.Buffers;
using System.IO.Compression;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Cliper.Model.IO;

namespace Cliper.Model.Text;

// Files of vocabularies: Hugging Face's vocab.json and merges.txt, its tokenizer.json, and OpenAI's merges.
public sealed partial class BpeVocabulary
{
    internal const string VocabularyName = "vocab.json", MergesName = "merges.txt", TokenizerName = "tokenizer.json",
        OpenAIName = "bpe_simple_vocab_16e6.txt.gz", NormalizerName = "normalizer.json";

    private const long LongestFile = 64_000_000;

    /// <summary>OpenAI's file lists more merges than its models know: 49408 tokens less bytes and specials.</summary>
    private const int OpenAIMerges = 49152 - 256 - 2;

    /// <summary>
    /// Reads a vocabulary: a folder with vocab.json and merges.txt, with tokenizer.json, or with OpenAI's merges; or
    /// such a tokenizer.json, or merges as text, gzipped (.gz) or not. A tokenizer.json says how texts are normalized;
    /// elsewhere that is OpenAI's way.
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
        string normalizer = Path.Combine(folder, NormalizerName);
        return File.Exists(vocabulary) ? LoadPair(vocabulary, Path.Combine(folder, MergesName))
                .With(File.Exists(normalizer) ? ParseNormalizer(RegularFile.ReadText(normalizer), normalizer)
                    : File.Exists(tokenizer) ? NormalizerOf(tokenizer) : null)
            : File.Exists(tokenizer) ? LoadTokenizer(tokenizer)
            : File.Exists(merges) ? LoadMerges(merges, Unzip(merges))
            : null;
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
        if (Normalizer.Json is { } steps)
            AtomicFile.Write(Path.Combine(folder, NormalizerName), stream =>
                stream.Write(Encoding.UTF8.GetBytes(steps)));
    }

    private static TextNormalizer ParseNormalizer(string text, string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return TextNormalizer.Parse(document.RootElement, path);
        }
        catch (JsonException failure)
        {
            throw new InputException($"{path}: the normalizer of texts is no JSON ({failure.Message}); {Remedy}",
                failure);
        }
    }

    private static TextNormalizer? NormalizerOf(string tokenizer)
    {
        using JsonDocument document = JsonInput.Read(tokenizer, LongestFile);
        return document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("normalizer", out JsonElement normalizer)
            ? TextNormalizer.Parse(normalizer, tokenizer) : null;
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
        return new BpeVocabulary(path, ids, [.. pairs])
            .With(document.RootElement.TryGetProperty("normalizer", out JsonElement normalizer)
                ? TextNormalizer.Parse(normalizer, path) : null);
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
                : throw new InputException($"{path}: token {ForeignText.Quote(token.Name)}: expected a whole number "
                    + $"as its id; {Remedy}"));
        return ids;
    }

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
}
