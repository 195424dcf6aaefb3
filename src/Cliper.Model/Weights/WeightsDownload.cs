using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
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
    private const int Attempts = 5, LongestAnswer = 16 << 20, MostShards = 200;

    // The first name of each line that the model has is taken; the weights are among them.
    private static readonly string[] Weights =
    [
        SafeTensors.DefaultName, SafeTensors.DefaultName + ShardIndex.Suffix, PyTorchCheckpoint.DefaultName,
        PyTorchCheckpoint.DefaultName + ShardIndex.Suffix,
    ];

    private static readonly string[] Companions =
        ["config.json", "preprocessor_config.json", "vocab.json", "merges.txt", "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json"];

    private readonly HttpClient _client;
    private readonly string _endpoint;
    private readonly string _cache;
    private readonly TimeSpan _pause;
    private long _done, _total, _fetched;

    /// <summary>A file as the hub describes it.</summary>
    private sealed record RemoteFile(string Name, long Size, string Checksum);

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
        _endpoint = endpoint.TrimEnd('/');
        _cache = cache ?? HuggingFaceCache.Root;
        _pause = pause ?? TimeSpan.FromSeconds(1);
        // Compressed answers would have another length than the file.
        _client = new HttpClient(new SocketsHttpHandler
        {
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(30),
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("cliper-gpu", "1"));
    }

    /// <summary>Time without a byte after which a connection counts as dropped.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

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
            await ListAsync(model, revision, cancellation).ConfigureAwait(false);
        string folder = HuggingFaceCache.FolderOf(_cache, model), snapshot = Path.Combine(folder, "snapshots", commit);
        string weights = Weights.FirstOrDefault(all.ContainsKey)
            ?? throw new InputException($"{model}: has none of {string.Join(", ", Weights)}; choose a model with "
                + "weights for "
                + "PyTorch");
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
        return new DownloadResult(snapshot, commit, files, _fetched);

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

    /// <summary>The commit that a revision stands for, and its files by name.</summary>
    private async Task<(string Commit, Dictionary<string, RemoteFile> Files)> ListAsync(string model, string revision,
        CancellationToken cancellation)
    {
        string address = $"{_endpoint}/api/models/{model}/revision/{Uri.EscapeDataString(revision)}?blobs=true";
        byte[] answer = [];
        await RepeatedlyAsync(address, () => 0, async () =>
        {
            using HttpResponseMessage response = await SendAsync(address, null, cancellation).ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Unauthorized)
                throw new InputException(
                    $"{model}: no such public model or revision at {_endpoint} ({(int)response.StatusCode}); check "
                    + "the name");
            Check(response, address);
            answer = await ReadAnswerAsync(response, address, cancellation).ConfigureAwait(false);
        }, cancellation).ConfigureAwait(false);

        using JsonDocument document = JsonInput.Parse(answer, address);
        var files = new Dictionary<string, RemoteFile>(StringComparer.Ordinal);
        if (document.RootElement.ValueKind != JsonValueKind.Object
            || Text(document.RootElement, "sha") is not { } commit
            || !HuggingFaceCache.Commit().IsMatch(commit)
            || !document.RootElement.TryGetProperty("siblings", out JsonElement siblings)
                || siblings.ValueKind != JsonValueKind.Array)
            throw Strange(address, "no commit or list of files");
        foreach (JsonElement sibling in siblings.EnumerateArray())
        {
            // A name that is not wanted never becomes a path.
            if (sibling.ValueKind != JsonValueKind.Object || Text(sibling, "rfilename") is not { } name
                || !PlainName().IsMatch(name))
                continue;
            bool large = sibling.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object;
            string? checksum = large ? Text(lfs, "sha256") ?? Text(lfs, "oid") : Text(sibling, "blobId");
            if (checksum is not null && Checksum().IsMatch(checksum) && Size(large ? lfs : sibling) is { } size)
                files[name] = new RemoteFile(name, size, checksum);
        }
        return (commit, files);

        static string? Text(JsonElement of, string key) =>
            of.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()
                : null;

        static long? Size(JsonElement of) => of.TryGetProperty("size", out JsonElement value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long size) && size >= 0 ? size : null;
    }

    private async Task FetchAsync(string model, string commit, RemoteFile file, string blob,
        IProgress<DownloadProgress>? progress,
        CancellationToken cancellation)
    {
        string address = $"{_endpoint}/{model}/resolve/{commit}/{file.Name}", partial = blob + Incomplete;
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
            if (stream.Length > file.Size)
                stream.SetLength(0);
            await RepeatedlyAsync(address, () => stream.Length, async () =>
            {
                if (stream.Length < file.Size)
                    await FetchRestAsync(address, stream, file, () => progress?.Report(
                        new DownloadProgress(file.Name, before + stream.Length, _total)),
                            cancellation).ConfigureAwait(false);
                if (stream.Length < file.Size)
                    throw new HttpRequestException($"it ended after {stream.Length:N0} bytes of {file.Size:N0}");
            }, cancellation).ConfigureAwait(false);
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

    /// <summary>Appends what the file lacks. A server that does not go on where it is asked to is read from the
    /// beginning.</summary>
    private async Task FetchRestAsync(string address, FileStream stream, RemoteFile file, Action report,
        CancellationToken cancellation)
    {
        long from = stream.Length;
        using HttpResponseMessage response =
            await SendAsync(address, from > 0 ? from : null, cancellation).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            stream.SetLength(0);
            throw new HttpRequestException("it does not have the rest of what was begun");
        }
        Check(response, address);
        bool goesOn = response.StatusCode == HttpStatusCode.PartialContent
            && response.Content.Headers.ContentRange?.From == from;
        if (response.StatusCode == HttpStatusCode.PartialContent && !goesOn)
            throw Strange(address, $"another part than from byte {from} on");
        if (!goesOn)
            stream.SetLength(0);
        stream.Position = stream.Length;
        using Stream body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        var buffer = new byte[1 << 18];
        while (true)
        {
            int read = await WithPatienceAsync(token =>
                body.ReadAsync(buffer, token).AsTask(), cancellation).ConfigureAwait(false);
            if (read == 0)
                return;
            if (stream.Length + read > file.Size)
            {
                stream.SetLength(0);
                throw new InputException(
                    $"{address}: sends more than the {file.Size:N0} bytes that the hub states; it was thrown away: "
                    + "download it again, or from another mirror (HF_ENDPOINT)");
            }
            // A full disk is no fault of the network: it leaves this loop as what it is.
            Write(stream, buffer.AsSpan(0, read));
            _fetched += read;
            report();
        }
    }

    private static void Write(FileStream stream, ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream.Write(bytes);
            stream.Flush();
        }
        catch (IOException e)
        {
            throw new CacheException(
                $"{stream.Name}: cannot be written: {e.Message}; make room, or choose another folder with "
                + "HF_HUB_CACHE", e);
        }
    }

    /// <summary>The cache cannot be written; unlike other input and output errors no further attempt helps.</summary>
    private sealed class CacheException(string message, Exception inner) : IOException(message, inner);

    /// <summary>Tries again after a failure of the network, up to a number of times without progress.</summary>
    private async Task RepeatedlyAsync(string address, Func<long> done, Func<Task> attempt,
        CancellationToken cancellation)
    {
        TimeSpan pause = _pause;
        // Farther than ever before: a server that lets one begin again and drops the connection is none that gets on.
        long best = done();
        for (int left = Attempts; ;)
        {
            try
            {
                await attempt().ConfigureAwait(false);
                return;
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException
                || (e is IOException and not CacheException))
            {
                left--;
                if (done() > best)
                    (best, left, pause) = (done(), Attempts - 1, _pause);
                if (left == 0)
                    throw new InputException(
                        $"{address}: cannot be fetched: {e.Message} ({Attempts} attempts); check the network and the "
                        + "proxy, and call again: it goes on where it stopped", e);
            }
            await Task.Delay(pause, cancellation).ConfigureAwait(false);
            pause *= 2;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(string address, long? from, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (from is not null)
            request.Headers.Range = new RangeHeaderValue(from, null);
        return await WithPatienceAsync(token =>
            _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token), cancellation)
            .ConfigureAwait(false);
    }

    private async Task<T> WithPatienceAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        both.CancelAfter(Patience);
        try
        {
            return await work(both.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {Patience.TotalSeconds:N0} seconds");
        }
    }

    /// <summary>An answer that is held in memory.</summary>
    private async Task<byte[]> ReadAnswerAsync(HttpResponseMessage response, string address,
        CancellationToken cancellation)
    {
        using Stream body = await response.Content.ReadAsStreamAsync(cancellation).ConfigureAwait(false);
        using var answer = new MemoryStream();
        var buffer = new byte[1 << 16];
        for (int read; (read = await WithPatienceAsync(token => body.ReadAsync(buffer, token).AsTask(), cancellation)
            .ConfigureAwait(false)) > 0;)
        {
            answer.Write(buffer, 0, read);
            if (answer.Length > LongestAnswer)
                throw Strange(address, $"more than {LongestAnswer:N0} bytes");
        }
        return answer.ToArray();
    }

    /// <summary>Errors of the server are worth another attempt; all else is not.</summary>
    private static void Check(HttpResponseMessage response, string address)
    {
        if (response.IsSuccessStatusCode)
            return;
        int code = (int)response.StatusCode;
        if (code >= 500 || response.StatusCode is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests)
            throw new HttpRequestException($"the server answers {code} {response.ReasonPhrase}");
        throw Strange(address, $"{code} {response.ReasonPhrase}");
    }

    private static InputException Strange(string address, string answer) =>
        new($"{address}: answers with {answer}; check the name and HF_ENDPOINT");

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
    public void Dispose() => _client.Dispose();

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex Revision();

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex PlainName();

    /// <summary>Git's SHA-1 or a SHA-256.</summary>
    [GeneratedRegex(@"^([0-9a-f]{40}|[0-9a-f]{64})\z")]
    private static partial Regex Checksum();
}
