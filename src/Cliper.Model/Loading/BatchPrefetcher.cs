using System.Runtime.ExceptionServices;
using Cliper.Model.Images;

namespace Cliper.Model.Loading;

/// <summary>
/// Fills the batches of one epoch on worker threads, up to <see cref="LoaderOptions.Prefetch"/> batches ahead of the
/// consumer. Without threads the consumer fills each batch itself when it asks for it.
/// </summary>
internal sealed class BatchPrefetcher : IDisposable
{
    private readonly IEnumerator<PendingBatch> _source;
    private readonly SampleRenderer _renderer;
    private readonly Func<PixelPipeline> _pipelines;
    private readonly Lock _gate = new();
    private readonly Queue<PendingBatch> _started = new();
    private readonly Queue<PendingBatch> _unclaimed = new();
    private readonly SemaphoreSlim _work = new(0);
    private readonly CancellationTokenSource _stop;
    private readonly Thread[] _threads;
    private readonly PixelPipeline _consumerPipeline;
    private PendingBatch? _filling;

    /// <summary>Starts the workers.</summary>
    /// <param name="batches">Makes the batches in order; called on the consumer's thread.</param>
    /// <param name="renderer">Fills their slots.</param>
    /// <param name="pipelines">Makes a pipeline for each thread.</param>
    /// <param name="options">The loader's options.</param>
    /// <param name="cancellation">Cancels the epoch.</param>
    public BatchPrefetcher(IEnumerable<PendingBatch> batches, SampleRenderer renderer, Func<PixelPipeline> pipelines,
        LoaderOptions options, CancellationToken cancellation)
    {
        (_source, _renderer, _pipelines) = (batches.GetEnumerator(), renderer, pipelines);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        _consumerPipeline = pipelines();
        _threads = new Thread[options.Threads];
        for (int i = 0; i < _threads.Length; i++)
        {
            _threads[i] = new Thread(Work) { IsBackground = true, Name = $"data worker {i}" };
            _threads[i].Start();
        }
        for (int i = 0; i < options.Prefetch; i++)
            Start();
    }

    /// <summary>The next batch; null when none of its images could be read.</summary>
    public Batch? Next()
    {
        PendingBatch batch = _started.Dequeue();
        if (_threads.Length == 0)
            while (!_stop.IsCancellationRequested && batch.Claim() is var slot and >= 0)
                Fill(batch, slot, _consumerPipeline);
        batch.Done.Wait(_stop.Token);
        if (batch.Failure is { } failure)
        {
            batch.Release();
            ExceptionDispatchInfo.Throw(failure);
        }
        Start();
        return batch.ToBatch();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        foreach (Thread thread in _threads)
            thread.Join();
        while (_started.TryDequeue(out PendingBatch? batch))
            batch.Release();
        _source.Dispose();
        _work.Dispose();
        _stop.Dispose();
    }

    // Starts the next batch, if there is one.
    private void Start()
    {
        if (!_source.MoveNext())
            return;
        PendingBatch batch = _source.Current;
        _started.Enqueue(batch);
        lock (_gate)
            _unclaimed.Enqueue(batch);
        if (_threads.Length > 0 && batch.Samples.Length > 0)
            _work.Release(batch.Samples.Length);
    }

    private void Work()
    {
        PixelPipeline pipeline = _pipelines();
        try
        {
            while (true)
            {
                _work.Wait(_stop.Token);
                PendingBatch batch;
                int slot;
                lock (_gate)
                {
                    while (_filling == null || (slot = _filling.Claim()) < 0)
                        _filling = _unclaimed.Dequeue();
                    batch = _filling;
                }
                Fill(batch, slot, pipeline);
            }
        }
        catch (OperationCanceledException)
        {
            // The consumer has ended the epoch.
        }
    }

    private void Fill(PendingBatch batch, int slot, PixelPipeline pipeline)
    {
        bool isFilled = false;
        try
        {
            isFilled = _renderer.Fill(batch, slot, pipeline);
        }
        catch (Exception failure)
        {
            batch.Failure = failure;
        }
        batch.Complete(slot, isFilled);
    }
}
