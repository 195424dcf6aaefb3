using System.Text.Json;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Weights in several files, all safetensors or all PyTorch's, with an index {"metadata": {…}, "weight_map": {"tensor":
/// "file"}} beside them, as Hugging Face splits large ones. Every tensor is where the index says, and no file holds one
/// that the index leaves out.
/// </summary>
internal sealed class ShardIndex : TensorSource
{
    /// <summary>How the index's name ends, after the name the file would have had unsplit.</summary>
    public const string Suffix = ".index.json";

    private const long LongestIndex = 100_000_000;
    private const int MostFiles = 10_000;

    private readonly Dictionary<string, TensorSource> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TensorSource> _holders = [];
    private readonly Dictionary<string, TensorEntry> _tensors = [];
    private readonly Dictionary<string, string> _metadata = [];

    /// <summary>Opens an index and all files that it names.</summary>
    /// <exception cref="InputException">The index or a file is missing or damaged, or they disagree.</exception>
    public ShardIndex(string path) : base(path)
    {
        try
        {
            foreach ((string tensor, string file) in ReadWeightMap(path))
            {
                if (!_files.TryGetValue(file, out TensorSource? holder))
                    _files[file] = holder = OpenShard(file);
                if (!holder.Tensors.TryGetValue(tensor, out TensorEntry? entry))
                    throw Fault($"tensor {ForeignText.Quote(tensor)} is not in {file}");
                _tensors.Add(tensor, entry);
                _holders.Add(tensor, holder);
            }
            foreach ((string file, TensorSource holder) in _files)
            {
                foreach (string tensor in holder.Tensors.Keys)
                    if (!_holders.TryGetValue(tensor, out TensorSource? owner) || owner != holder)
                        throw Fault($"tensor {ForeignText.Quote(tensor)} of {file} is not in the index");
                foreach ((string key, string value) in holder.Metadata)
                    _metadata[key] = value;
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, TensorEntry> Tensors => _tensors;

    /// <inheritdoc/>
    public override IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <inheritdoc/>
    public override string Format => _files.Count == 0 ? "index of no files"
        : $"{_files.Values.First().Format}, {_files.Count} files with an index";

    internal override FileBytes ReadPiece(TensorEntry entry, long offset, int length) =>
        _holders[entry.Name].ReadPiece(entry, offset, length);

    internal override IEnumerable<string> DamagedRecords() => _files.Values.SelectMany(file => file.DamagedRecords());

    private TensorSource OpenShard(string file)
    {
        if (_files.Count == MostFiles)
            throw Fault($"more than {MostFiles} files");
        return OpenFile(System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path) ?? "", file));
    }

    /// <summary>The files that an index names.</summary>
    /// <exception cref="InputException">It is missing or damaged, or names what is not in its own folder.</exception>
    internal static IReadOnlyList<string> FilesOf(string path) => [.. ReadWeightMap(path).Values.Distinct()];

    private static Dictionary<string, string> ReadWeightMap(string path)
    {
        using JsonDocument document = JsonInput.Read(path, LongestIndex);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || !document.RootElement.TryGetProperty("weight_map", out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
            throw Fault(path, "expected an object with a weight_map");
        var files = new Dictionary<string, string>();
        foreach (JsonProperty property in map.EnumerateObject())
        {
            string file = property.Value.ValueKind == JsonValueKind.String ? property.Value.GetString()!
                : throw Fault(path, $"weight_map of {ForeignText.Quote(property.Name)}: expected a file name");
            // The index may come from anywhere: it must not lead out of its own folder.
            if (file.Length == 0 || file is "." or ".." || file.IndexOfAny(['/', '\\', ':', '\0']) >= 0)
                throw Fault(path, $"{ForeignText.Quote(file)} is not a plain file name");
            files.Add(property.Name, file);
        }
        return files;
    }

    private InputException Fault(string fault) => Fault(Path, fault);

    private static InputException Fault(string path, string fault) =>
        new($"{path}: {fault}; get the index and its files anew, all from one place");

    /// <inheritdoc/>
    public override void Dispose()
    {
        foreach (TensorSource file in _files.Values)
            file.Dispose();
    }
}
