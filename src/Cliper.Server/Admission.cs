using Microsoft.AspNetCore.Http;

namespace Cliper.Server;

/// <summary>
/// The requests that are taken: no more than the limit at a time, and their bodies together no larger than the limit,
/// so that the memory that strangers can ask for is bounded.
/// </summary>
/// <param name="options">The limits.</param>
internal sealed class Admission(CliperServerOptions options)
{
    private int _requests;
    private long _bytes;

    /// <summary>Requests that are taken and not answered yet.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>Takes a request.</summary>
    /// <returns>Its place, which is disposed with its answer.</returns>
    /// <exception cref="RequestException">There is no place: 503.</exception>
    public Place Enter()
    {
        if (Interlocked.Increment(ref _requests) <= options.MaxRequests)
            return new Place(this);
        Interlocked.Decrement(ref _requests);
        throw Full($"{options.MaxRequests} requests are being answered");
    }

    private static RequestException Full(string reason) =>
        new(StatusCodes.Status503ServiceUnavailable, $"the queue is full: {reason}; try again in a moment");

    /// <summary>The place of a request.</summary>
    internal sealed class Place(Admission admission) : IDisposable
    {
        private long _held;

        /// <summary>Counts bytes of the body that are held.</summary>
        /// <exception cref="RequestException">All requests together hold too many: 503.</exception>
        public void Hold(int bytes)
        {
            _held += bytes;
            if (Interlocked.Add(ref admission._bytes, bytes) > admission.Options.MaxPendingBytes)
                throw Full($"their bodies have more than {admission.Options.MaxPendingBytes >> 20} MiB");
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            Interlocked.Add(ref admission._bytes, -_held);
            Interlocked.Decrement(ref admission._requests);
        }
    }

    private CliperServerOptions Options => options;
}
