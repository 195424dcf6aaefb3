using System.Diagnostics;
using System.Threading.Channels;
using Cliper.Model;

namespace Cliper.Server;

/// <summary>
/// Gathers the faces of several requests, which the model then answers together (dynamic batching). A batch begins
/// with the first request that waits; it waits for further ones only while pictures are underway to it, so a client
/// that is alone waits for nobody.
/// </summary>
internal sealed class BatchQueue : IDisposable
{
    private readonly Channel<Waiting> _waiting =
        Channel.CreateUnbounded<Waiting>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ExpressionRecognizer _recognizer;
    private readonly CliperServerOptions _options;
    private readonly Func<int> _underway;
    private readonly Action<int> _answered;
    private readonly Task _loop;

    /// <summary>A queue before a model.</summary>
    /// <param name="recognizer">The model.</param>
    /// <param name="options">Size and wait of a batch.</param>
    /// <param name="underway">The number of pictures that are about to come.</param>
    /// <param name="answered">Told the number of faces of each batch.</param>
    public BatchQueue(ExpressionRecognizer recognizer, CliperServerOptions options, Func<int> underway,
        Action<int> answered)
    {
        (_recognizer, _options, _underway, _answered) = (recognizer, options, underway, answered);
        _loop = Task.Run(RunAsync);
    }

    private sealed record Waiting(IReadOnlyList<FoundFaces> Images, int Faces,
        TaskCompletionSource<IReadOnlyList<Recognition>> Answer, CancellationToken Cancellation);

    /// <summary>The answers for images, in their order.</summary>
    /// <param name="images">The images.</param>
    /// <param name="cancellation">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public Task<IReadOnlyList<Recognition>> AskAsync(IReadOnlyList<FoundFaces> images, CancellationToken cancellation)
    {
        var waiting = new Waiting(images, images.Sum(image => image.Count),
            new(TaskCreationOptions.RunContinuationsAsynchronously), cancellation);
        ObjectDisposedException.ThrowIf(!_waiting.Writer.TryWrite(waiting), this);
        return waiting.Answer.Task.WaitAsync(cancellation);
    }

    private async Task RunAsync()
    {
        Waiting? next = null;
        while (next is not null || await _waiting.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            List<Waiting> batch = [];
            next = await GatherAsync(batch, next).ConfigureAwait(false);
            if (batch.Count > 0)
                Answer(batch);
        }
    }

    /// <summary>Fills a batch.</summary>
    /// <returns>A request that has no place in it any more; null for none.</returns>
    private async Task<Waiting?> GatherAsync(List<Waiting> batch, Waiting? first)
    {
        long began = Stopwatch.GetTimestamp();
        int faces = 0;
        Waiting? next = first;
        while (true)
        {
            if (next is null && !_waiting.Reader.TryRead(out next))
            {
                TimeSpan left = _options.BatchWait - Stopwatch.GetElapsedTime(began);
                if (_underway() == 0 || left <= TimeSpan.Zero || !await IsComingAsync(left).ConfigureAwait(false))
                    return null;
                continue;
            }
            if (batch.Count > 0 && faces + next.Faces > _options.BatchFaces)
                return next;
            if (!next.Cancellation.IsCancellationRequested)
                batch.Add(next);
            faces += next.Faces;
            next = null;
            if (faces >= _options.BatchFaces)
                return null;
        }
    }

    private async Task<bool> IsComingAsync(TimeSpan most)
    {
        using var end = new CancellationTokenSource(most);
        try
        {
            return await _waiting.Reader.WaitToReadAsync(end.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void Answer(List<Waiting> batch)
    {
        try
        {
            IReadOnlyList<Recognition> all = _recognizer.Recognize([.. batch.SelectMany(waiting => waiting.Images)]);
            _answered(batch.Sum(waiting => waiting.Faces));
            int taken = 0;
            foreach (Waiting waiting in batch)
            {
                waiting.Answer.SetResult([.. all.Skip(taken).Take(waiting.Images.Count)]);
                taken += waiting.Images.Count;
            }
        }
        catch (Exception failure)
        {
            // The requests of the batch fail, each with this failure; the queue goes on.
            foreach (Waiting waiting in batch)
                waiting.Answer.TrySetException(failure);
        }
    }

    /// <summary>Answers what waits, then ends.</summary>
    public void Dispose()
    {
        _waiting.Writer.TryComplete();
        _loop.Wait();
    }
}
