namespace Cliper.Server;

/// <summary>A request that is refused.</summary>
/// <param name="status">The status code.</param>
/// <param name="message">The finding, what was expected, and the remedy.</param>
internal sealed class RequestException(int status, string message) : Exception(message)
{
    /// <summary>The status code.</summary>
    public int Status { get; } = status;
}
