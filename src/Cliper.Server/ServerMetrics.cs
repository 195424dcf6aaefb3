using System.Collections.Concurrent;
using System.Globalization;
using System.Text;

namespace Cliper.Server;

/// <summary>The values of <c>/metrics</c>, in the text format of Prometheus. Thread-safe.</summary>
internal sealed class ServerMetrics
{
    /// <summary>The format's media type.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly ConcurrentDictionary<(string Endpoint, int Status), long> _requests = new();

    private readonly Histogram _seconds = new("cliper_request_duration_seconds",
        "Time from the first byte of a request for answers to the end of its answer, in seconds.",
        0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10);

    private readonly Histogram _batches = new("cliper_batch_faces", "Faces that went through the model together.",
        1, 2, 4, 8, 16, 32, 64);

    private long _faces, _pictures;

    /// <summary>Counts a request that is answered.</summary>
    /// <param name="endpoint">The endpoint's name.</param>
    /// <param name="status">The status code of the answer.</param>
    /// <param name="time">How long it took; null for one that asked the model nothing.</param>
    public void Answered(string endpoint, int status, TimeSpan? time)
    {
        _requests.AddOrUpdate((endpoint, status), 1, (_, count) => count + 1);
        if (time is { } taken)
            _seconds.Add(taken.TotalSeconds);
    }

    /// <summary>Counts a batch.</summary>
    public void Batch(int faces)
    {
        _batches.Add(faces);
        Interlocked.Add(ref _faces, faces);
    }

    /// <summary>Counts pictures that were read.</summary>
    public void Pictures(int count) => Interlocked.Add(ref _pictures, count);

    /// <summary>All of it as text.</summary>
    /// <param name="queueDepth">Requests that are taken and not answered yet.</param>
    public string Write(int queueDepth)
    {
        var text = new StringBuilder();
        Begin("cliper_requests_total", "counter", "Requests by endpoint and status code.");
        foreach (((string endpoint, int status), long count) in _requests.OrderBy(entry => entry.Key))
            text.Append(CultureInfo.InvariantCulture,
                $"cliper_requests_total{{endpoint=\"{endpoint}\",code=\"{status}\"}} {count}\n");
        _seconds.Write(text);
        _batches.Write(text);
        Value("cliper_queue_depth", "gauge", "Requests for answers that are taken and not answered yet.", queueDepth);
        Value("cliper_faces_total", "counter", "Faces that were answered.", Interlocked.Read(ref _faces));
        Value("cliper_pictures_total", "counter", "Pictures that were read.", Interlocked.Read(ref _pictures));
        return text.ToString();

        void Begin(string name, string type, string help) => text.Append(CultureInfo.InvariantCulture,
            $"# HELP {name} {help}\n# TYPE {name} {type}\n");

        void Value(string name, string type, string help, long value)
        {
            Begin(name, type, help);
            text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
        }
    }
}
