namespace Cliper.Kernels.Collectives;

/// <summary>Ways in which work on several ranks fails.</summary>
public enum CollectiveFailure
{
    /// <summary>A launcher's environment variables contradict each other.</summary>
    Environment,

    /// <summary>The library that carries the messages is missing or does not work.</summary>
    Library,

    /// <summary>The processes are not the same program with the same work.</summary>
    Mixed,

    /// <summary>Another rank does not answer any more.</summary>
    Lost,
}

/// <summary>Ranks cannot work together.</summary>
/// <param name="failure">The kind.</param>
/// <param name="message">The fact that is wrong.</param>
public sealed class CollectiveException(CollectiveFailure failure, string message) : Exception(message)
{
    /// <summary>The kind of failure.</summary>
    public CollectiveFailure Failure { get; } = failure;
}
