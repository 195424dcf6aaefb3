namespace Cliper.Server;

/// <summary>The limits of the endpoints, and how they answer.</summary>
public sealed record CliperServerOptions
{
    /// <summary>Most bytes of a request's body; a larger one is answered with 413.</summary>
    public int MaxBodyBytes { get; init; } = 8 << 20;

    /// <summary>Most pixels that a picture may say it has; a larger one is answered with 422, not decoded.</summary>
    public long MaxPixels { get; init; } = 25_000_000;

    /// <summary>Most requests that are read or wait for their answers; a further one is answered with 503.</summary>
    public int MaxRequests { get; init; } = 256;

    /// <summary>Most bytes that the bodies of those requests have together; a further one is answered with
    /// 503.</summary>
    public long MaxPendingBytes { get; init; } = 256L << 20;

    /// <summary>How long a request may take, from its first byte to its answer.</summary>
    public TimeSpan TimeOut { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Faces that go through the model together, at most; 1 for one after the other.</summary>
    public int BatchFaces { get; init; } = 16;

    /// <summary>How long a batch waits for pictures whose faces are being looked for.</summary>
    public TimeSpan BatchWait { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>
    /// The bearer token that a request has to carry; null for none. Health, the page and the description of the
    /// endpoints need none.
    /// </summary>
    public string? Token { get; init; }

    /// <summary>Whether there is a page for people.</summary>
    public bool HasPage { get; init; } = true;
}
