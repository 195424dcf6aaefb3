using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Cliper.Model.Tests.Weights;

/// <summary>
/// A hub on this machine with one model, which answers as told: as it should, or dropping connections, lying about
/// lengths, handing out other bytes. Each connection serves one request.
/// </summary>
internal sealed class FaultyServer : IDisposable
{
    public const string Model = "openai/clip-micro", Commit = "0123456789abcdef0123456789abcdef01234567";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Task _serving;

    /// <summary>The model's files.</summary>
    public Dictionary<string, byte[]> Files { get; } = [];

    /// <summary>Every request's path, with the byte it begins at if it asks for a part.</summary>
    public List<string> Requests { get; } = [];

    /// <summary>
    /// Files whose SHA-256 the hub states, as it does for large ones; the others have git's checksum.
    /// </summary>
    public HashSet<string> Large { get; } = [];

    /// <summary>Changes the hub's list.</summary>
    public Func<string, string> List { get; set; } = text => text;

    /// <summary>
    /// The answer to a request for a file instead of the file: its name, bytes, and where to begin (null for the
    /// whole). Null answers as it should.</summary>
    public Func<string, byte[], int?, Answer?>? Fault { get; set; }

    /// <summary>An answer.</summary>
    /// <param name="Status">Status as in "200 OK".</param>
    /// <param name="Body">Bytes that are sent before the connection is closed.</param>
    /// <param name="Length">The length that Content-Length says; null for the body's own.</param>
    /// <param name="Headers">Further lines.</param>
    /// <param name="Stall">Whether it then stays silent instead of closing.</param>
    public sealed record Answer(string Status, byte[] Body, long? Length = null, string Headers = "",
        bool Stall = false);

    public FaultyServer()
    {
        _listener.Start();
        _serving = Task.Run(ServeAsync);
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>The answer as it should be: the whole file, or the part that is asked for.</summary>
    public static Answer Right(byte[] bytes, int? from) => from is not { } start ? new Answer("200 OK", bytes)
        : start >= bytes.Length ? new Answer("416 Range Not Satisfiable", [])
        : new Answer("206 Partial Content", bytes[start..],
        Headers: $"Content-Range: bytes {start}-{bytes.Length - 1}/{bytes.Length}\r\n");

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

#pragma warning disable CA5350 // Git's names of files are SHA-1, whatever one thinks of it.
    public static string Git(byte[] bytes) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));
#pragma warning restore CA5350

    public string Checksum(string name) => Large.Contains(name) ? Sha256(Files[name]) : Git(Files[name]);

    private async Task ServeAsync()
    {
        while (true)
        {
            TcpClient client;
            try
            {
                client = await _listener.AcceptTcpClientAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }
            _ = Task.Run(() => AnswerAsync(client));
        }
    }

    private async Task AnswerAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                NetworkStream stream = client.GetStream();
                using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
                string path = (await reader.ReadLineAsync() ?? "").Split(' ').ElementAtOrDefault(1) ?? "";
                int? from = null;
                while (await reader.ReadLineAsync() is { Length: > 0 } header)
                    if (header.StartsWith("Range: bytes=", StringComparison.OrdinalIgnoreCase))
                        from = int.Parse(header["Range: bytes=".Length..].TrimEnd('-'));
                lock (Requests)
                    Requests.Add(from is null ? path : $"{path} from {from}");
                Answer answer = AnswerTo(path, from);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 {answer.Status}\r\nContent-Length: "
                    + $"{answer.Length ?? answer.Body.Length}\r\nConnection: close\r\n{answer.Headers}\r\n"));
                await stream.WriteAsync(answer.Body);
                if (answer.Stall)
                    await Task.Delay(TimeSpan.FromSeconds(20));
            }
            catch (IOException)
            {
                // The other side has closed: what it is to do when something is wrong.
            }
        }
    }

    private Answer AnswerTo(string path, int? from)
    {
        string prefix = $"/{Model}/resolve/{Commit}/";
        if (path == $"/api/models/{Model}/revision/main?blobs=true")
        {
            IEnumerable<string> siblings = Files.Select(file =>
                $$"""{"rfilename":"{{file.Key}}","size":{{file.Value.Length}},"blobId":"{{Git(file.Value)}}" """
                + (Large.Contains(file.Key)
                ? $$""","lfs":{"sha256":"{{Sha256(file.Value)}}","size":{{file.Value.Length}},"pointerSize":134}"""
                : "") + "}");
            return new Answer("200 OK",
                Encoding.UTF8.GetBytes(
                List($$"""{"id":"{{Model}}","sha":"{{Commit}}","siblings":[{{string.Join(',', siblings)}}]}""")));
        }
        if (!path.StartsWith(prefix, StringComparison.Ordinal)
            || !Files.TryGetValue(path[prefix.Length..], out byte[]? bytes))
            return new Answer("404 Not Found", []);
        return Fault?.Invoke(path[prefix.Length..], bytes, from) ?? Right(bytes, from);
    }

    public void Dispose()
    {
        _listener.Stop();
        _serving.Wait();
    }
}
