using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>How far a download is.</summary>
/// <param name="File">The file that is being fetched.</param>
/// <param name="Done">Bytes of all files that are there.</param>
/// <param name="Total">Bytes of all files.</param>
public sealed record DownloadProgress(string File, long Done, long Total);

/// <summary>Result of a download.</summary>
/// <param name="Folder">The snapshot's folder, which loads as weights.</param>
/// <param name="Commit">The version.</param>
/// <param name="Files">Names in the folder.</param>
/// <param name="Fetched">Bytes that came over the network; files that were there already are not fetched again.</param>
public sealed record DownloadResult(string Folder, string Commit, IReadOnlyList<string> Files, long Fetched);

/// <summary>
/// Fetches a model's weights, configuration and tokenizer from Hugging Face, or a mirror of it, into the local cache in
/// the layout that its own programs share. Every file is checked against the size and checksum that the hub states
/// (SHA-256, or git's SHA-1 for small files) before it gets its name; what is there stays as NAME.incomplete and is
/// gone on with by the next attempt or the next call. Proxies are taken from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and
/// NO_PROXY.
/// </summary>
public sealed partial class WeightsDownload : IDisposable
{
    /// <summary>Where models are unless HF_ENDPOINT names a mirror.</summary>
    public const string DefaultEndpoint = "https://huggingface.co";

    private const string Incomplete = ".incomplete";
    private const int MostShards = 200;

    // The first name of each line that the model has is taken; the weights are among them.
    private static readonly string[] Weights =
    [
        SafeTensors.DefaultName, SafeTensors.DefaultName + ShardIndex.Suffix, PyTorchCheckpoint.DefaultName,
        PyTorchCheckpoint.DefaultName + ShardIndex.Suffix,
    ];

    private static readonly string[] Companions =
        ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "tokenizer.json",
            "tokenizer_config.json", "special_tokens_map.json"];

    private readonly HubClient _hub;
    private readonly string _cache;
    private long _done, _total;

    /// <summary>A downloader into the local cache.</summary>
    /// <param name="endpoint">The hub; null for HF_ENDPOINT or Hugging Face.</param>
    /// <param name="cache">The cache's folder; null for <see cref="HuggingFaceCache.Root"/>.</param>
    /// <param name="pause">Before a second attempt, doubled for each further one; null for a second.</param>
    /// <exception cref="SettingsException">The endpoint is no address, or HF_HUB_OFFLINE forbids downloads.</exception>
    public WeightsDownload(string? endpoint = null, string? cache = null, TimeSpan? pause = null)
    {
        if (Environment.GetEnvironmentVariable("HF_HUB_OFFLINE") is "1" or "true" or "TRUE" or "ON" or "YES")
            throw new SettingsException(
                "HF_HUB_OFFLINE is set: nothing is downloaded; unset it, or name a file or a model that is in "
                + "the cache");
        endpoint ??= Environment.GetEnvironmentVariable("HF_ENDPOINT") is { Length: > 0 } mirror ? mirror
            : DefaultEndpoint;
        if (!Uri.TryCreate(endpoint, UriKind.Absolute, out Uri? address) || address.Scheme is not ("http" or "https"))
            throw new SettingsException($"HF_ENDPOINT is '{endpoint}'; expected an address such as {DefaultEndpoint}");
        _hub = new HubClient(endpoint.TrimEnd('/'), pause ?? TimeSpan.FromSeconds(1));
        _cache = cache ?? HuggingFaceCache.Root;
    }

    /// <summary>Time without a byte after which a connection counts as dropped.</summary>
    public TimeSpan Patience
    {
        get => _hub.Patience;
        init => _hub.Patience = value;
    }

    /// <summary>Fetches what is missing of a model.</summary>
    /// <param name="model">Name of the model, such as openai/clip-vit-base-patch16.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="progress">Told every few hundred kilobytes.</param>
    /// <param name="cancellation">Stops; what is there is kept for the next call.</param>
    /// <exception cref="SettingsException">That is no model's name or revision.</exception>
    /// <exception cref="InputException">There is no such model or it has no weights, a file is not what the hub says,
    /// or the network fails again and again.</exception>
    /// <exception cref="IOException">The cache cannot be written, or the disk is full.</exception>
    public DownloadResult Run(string model, string revision = HuggingFaceCache.DefaultRevision,
        IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (!HuggingFaceCache.IsModelName(model))
            throw new SettingsException($"'{model}' is no model's name; expected ORGANISATION/NAME such as "
                + "openai/clip-vit-base-patch16");
        if (!Revision().IsMatch(revision) || revision.Contains(".."))
            throw new SettingsException($"revision is '{revision}'; expected a branch, tag or commit");
        return RunAsync(model, revision, progress, cancellation).GetAwaiter().GetResult();
    }

    private async Task<DownloadResult> RunAsync(string model, string revision, IProgress<DownloadProgress>? progress,
        CancellationToken cancellation)
    {
        (string commit, Dictionary<string, RemoteFile> all) =
            await _hub.ListAsync(model, revision, cancellation).ConfigureAwait(false);
        string folder = HuggingFaceCache.FolderOf(_cache, model), snapshot = Path.Combine(folder, "snapshots", commit);
        string weights = Weights.FirstOrDefault(all.ContainsKey)
            ?? throw new InputException($"{model}: has none of {string.Join(", ", Weights)}; choose a model with "
                + "weights for PyTorch");
        List<RemoteFile> wanted = [.. Companions.Where(all.ContainsKey).Select(name => all[name]), all[weights]];
        _total = wanted.Sum(file => file.Size);
        var files = new List<string>();
        foreach (RemoteFile file in wanted)
            await AddAsync(file).ConfigureAwait(false);
        if (weights.EndsWith(ShardIndex.Suffix, StringComparison.Ordinal))
        {
            List<RemoteFile> shards = [.. ShardIndex.FilesOf(Path.Combine(snapshot, weights)).Select(name =>
                all.TryGetValue(name, out RemoteFile? shard) ? shard
                : throw new InputException(
                    $"{model}: {weights} names {ForeignText.Quote(name)}, which the model does not have; "
                    + "choose another model or revision"))];
            if (shards.Count > MostShards)
                throw new InputException(
                    $"{model}: {weights} names {shards.Count} files, expected at most {MostShards}");
            _total += shards.Sum(file => file.Size);
            foreach (RemoteFile shard in shards)
                await AddAsync(shard).ConfigureAwait(false);
        }
        // Only a whole snapshot becomes the one that a name stands for.
        AtomicFile.Write(Path.Combine(folder, "refs", revision), stream =>
            stream.Write(Encoding.ASCII.GetBytes(commit)));
        return new DownloadResult(snapshot, commit, files, _hub.Fetched);

        async Task AddAsync(RemoteFile file)
        {
            string blob = Path.Combine(folder, "blobs", file.Checksum);
            if (!File.Exists(blob) || new FileInfo(blob).Length != file.Size)
                await FetchAsync(model, commit, file, blob, progress, cancellation).ConfigureAwait(false);
            else
                _done += file.Size;
            Link(Path.Combine(snapshot, file.Name), blob, file.Checksum);
            files.Add(file.Name);
        }
    }

    /// <summary>A link into blobs/ where the file system has links, else a copy.</summary>
    private static void Link(string path, string blob, string checksum)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        string target = $"../../blobs/{checksum}";
        if (new FileInfo(path).LinkTarget == target)
            return;
        File.Delete(path);
        try
        {
            File.CreateSymbolicLink(path, target);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Copy(blob, path, overwrite: true);
        }
    }

    private async Task FetchAsync(string model, string commit, RemoteFile file, string blob,
        IProgress<DownloadProgress>? progress, CancellationToken cancellation)
    {
        string address = _hub.AddressOf(model, commit, file), partial = blob + Incomplete;
        Directory.CreateDirectory(Path.GetDirectoryName(blob)!);
        long before = _done;
        FileStream stream;
        try
        {
            stream = new FileStream(partial, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1 << 16);
        }
        catch (IOException e) when (File.Exists(partial))
        {
            throw new IOException($"{partial}: another download is writing it ({e.Message}); wait for it to end", e);
        }
        using (stream)
        {
            await _hub.FetchAsync(address, file, stream, () => progress?.Report(
                new DownloadProgress(file.Name, before + stream.Length, _total)), cancellation).ConfigureAwait(false);
            string found = await ChecksumAsync(stream, file, cancellation).ConfigureAwait(false);
            if (found != file.Checksum)
            {
                // Going on with it would only lead here again.
                stream.SetLength(0);
                throw new InputException(
                    $"{address}: the checksum is {found}, expected {file.Checksum}; it was thrown away: download it "
                    + "again, and if that fails too, from another mirror (HF_ENDPOINT)");
            }
            stream.Flush(flushToDisk: true);
        }
        File.Move(partial, blob, overwrite: true);
        _done = before + file.Size;
    }

    /// <summary>SHA-256 of the content, or what git names it: SHA-1 of its length and content.</summary>
    private static async Task<string> ChecksumAsync(FileStream stream, RemoteFile file, CancellationToken cancellation)
    {
        stream.Flush();
        stream.Position = 0;
        if (file.Checksum.Length == SHA256.HashSizeInBytes * 2)
            return Convert.ToHexStringLower(await SHA256.HashDataAsync(stream, cancellation).ConfigureAwait(false));
        using var git = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        git.AppendData(Encoding.ASCII.GetBytes($"blob {stream.Length}\0"));
        var buffer = new byte[1 << 16];
        for (int read; (read = await stream.ReadAsync(buffer, cancellation).ConfigureAwait(false)) > 0;)
            git.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(git.GetHashAndReset());
    }

    /// <inheritdoc/>
    public void Dispose() => _hub.Dispose();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex Revision();
}
