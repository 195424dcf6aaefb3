using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.RegularExpressions;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>A file as the hub describes it.</summary>
/// <param name="Name">Name in the model's folder.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Checksum">SHA-256, or git's SHA-1 for small files.</param>
internal sealed record RemoteFile(string Name, long Size, string Checksum);

/// <summary>
/// Talks to Hugging Face's hub or a mirror of it. A request that the network interrupts is repeated, and a file is gone
/// on with where it stopped.
/// </summary>
/// <param name="endpoint">Address of the hub, without a slash at its end.</param>
/// <param name="pause">Before a second attempt, doubled for each further one.</param>
internal sealed partial class HubClient(string endpoint, TimeSpan pause) : IDisposable
{
    private const int Attempts = 5, LongestAnswer = 16 << 20;

    private readonly HttpClient _client = CreateClient();

    /// <summary>Time without a byte after which a connection counts as dropped.</summary>
    public TimeSpan Patience { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of files that came over the network.</summary>
    public long Fetched { get; private set; }

    /// <summary>Address of a file of a model's version.</summary>
    public string AddressOf(string model, string commit, RemoteFile file) =>
        $"{endpoint}/{model}/resolve/{commit}/{file.Name}";

    /// <summary>The commit that a revision stands for, and its files by name.</summary>
    /// <param name="model">Name of the model.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="cancellation">Stops the request.</param>
    /// <exception cref="InputException">There is no such model, or the answer is none of a hub.</exception>
    public async Task<(string Commit, Dictionary<string, RemoteFile> Files)> ListAsync(string model, string revision,
        CancellationToken cancellation)
    {
        string address = $"{endpoint}/api/models/{model}/revision/{Uri.EscapeDataString(revision)}?blobs=true";
        byte[] answer = [];
        await RepeatedlyAsync(address, () => 0, async () =>
        {
            using HttpResponseMessage response = await SendAsync(address, null, cancellation).ConfigureAwait(false);
            if (response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Unauthorized)
                throw new InputException(
                    $"{model}: no such public model or revision at {endpoint} ({(int)response.StatusCode}); check "
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

    /// <summary>Appends to <paramref name="stream"/> what it lacks of a file.</summary>
    /// <param name="address">Address of the file.</param>
    /// <param name="file">The file.</param>
    /// <param name="stream">Holds the part that is there already; begun again if it is longer than the file.</param>
    /// <param name="report">Called after each piece.</param>
    /// <param name="cancellation">Stops; what is there stays.</param>
    /// <exception cref="InputException">The network fails again and again, or the server sends something
    /// else.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    public async Task FetchAsync(string address, RemoteFile file, FileStream stream, Action report,
        CancellationToken cancellation)
    {
        if (stream.Length > file.Size)
            stream.SetLength(0);
        await RepeatedlyAsync(address, () => stream.Length, async () =>
        {
            if (stream.Length < file.Size)
                await FetchRestAsync(address, stream, file, report, cancellation).ConfigureAwait(false);
            if (stream.Length < file.Size)
                throw new HttpRequestException($"it ended after {stream.Length:N0} bytes of {file.Size:N0}");
        }, cancellation).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static HttpClient CreateClient()
    {
        // Compressed answers would have another length than the file.
        var client = new HttpClient(new SocketsHttpHandler
        {
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = TimeSpan.FromSeconds(30),
        })
        { Timeout = Timeout.InfiniteTimeSpan };
        client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("cliper-gpu", "1"));
        return client;
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
            Fetched += read;
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
        TimeSpan wait = pause;
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
                    (best, left, wait) = (done(), Attempts - 1, pause);
                if (left == 0)
                    throw new InputException(
                        $"{address}: cannot be fetched: {e.Message} ({Attempts} attempts); check the network and the "
                        + "proxy, and call again: it goes on where it stopped", e);
            }
            await Task.Delay(wait, cancellation).ConfigureAwait(false);
            wait *= 2;
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

    [GeneratedRegex(@"^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\z")]
    private static partial Regex PlainName();

    /// <summary>Git's SHA-1 or a SHA-256.</summary>
    [GeneratedRegex(@"^([0-9a-f]{40}|[0-9a-f]{64})\z")]
    private static partial Regex Checksum();
}
