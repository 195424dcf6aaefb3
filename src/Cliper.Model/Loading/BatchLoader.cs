using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>
/// Makes the batches of a split: worker threads read, decode, augment and normalize images a few batches ahead of the
/// consumer. For a GPU they only sample the transforms, which the GPU applies. Order and augmentation of epoch e are
/// functions of (seed, e, sample) alone, so an epoch can be resumed at any batch and depends neither on the number of
/// threads nor on the cache.
/// </summary>
public sealed class BatchLoader : IDisposable
{
    private readonly LoaderOptions _options;
    private readonly float[] _table;
    private readonly PixelCache _cache;
    private readonly SampleRenderer _renderer;
    private readonly ConcurrentDictionary<string, string> _skipped = new();
    private readonly ConcurrentBag<float[]> _buffers = [];
    private long _waitedTicks;

    /// <summary>Creates a loader of <paramref name="split"/>.</summary>
    /// <exception cref="SettingsException">An option is out of range.</exception>
    public BatchLoader(DataSplit split, LoaderOptions options)
    {
        options.Check();
        if (split.Samples.Count == 0)
            throw new InputException($"the {split.Name} split has no samples");
        (Split, _options) = (split, options);
        _table = Normalize.Table([.. options.Mean], [.. options.Std]);
        _cache = PixelCache.Create(split, options);
        _renderer = new SampleRenderer(split, options, _cache, RecordSkip);
    }

    /// <summary>Features of the split's samples, of which batches then are made instead of pixels; null for
    /// pixels.</summary>
    internal FeatureTable? Features { get; init; }

    /// <summary>How it works.</summary>
    internal LoaderOptions Options => _options;

    /// <summary>The split whose samples are loaded.</summary>
    public DataSplit Split { get; }

    /// <summary>Number of batches in an epoch.</summary>
    public int BatchesPerEpoch => _options.DropLast
        ? Split.Samples.Count / _options.BatchSize
        : (Split.Samples.Count + _options.BatchSize - 1) / _options.BatchSize;

    /// <summary>Time that the consumer has waited for batches, over all epochs.</summary>
    public TimeSpan Waited => new(Volatile.Read(ref _waitedTicks));

    /// <summary>Names of the images that could not be read, each with the reason.</summary>
    public IReadOnlyDictionary<string, string> Skipped => _skipped;

    /// <summary><see cref="Skipped"/> of all ranks, which all call this.</summary>
    internal IReadOnlyDictionary<string, string> SkippedOfAllRanks()
    {
        if (_options.Ranks.Size == 1)
            return _skipped;
        IEnumerable<string> own = _skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal)
            .SelectMany(entry => new[] { entry.Key, entry.Value });
        byte[] all = _options.Ranks.Gather<byte>(
            Encoding.UTF8.GetBytes(string.Concat(own.Select(text => text + '\0'))), out _);
        string[] texts = Encoding.UTF8.GetString(all).Split('\0');
        // Balanced draws give a sample to more than one of them.
        return texts.Chunk(2).Where(pair => pair.Length == 2).DistinctBy(pair => pair[0])
            .ToDictionary(pair => pair[0], pair => pair[1]);
    }

    /// <summary>
    /// Decodes the images that the cache on disk lacks; does nothing with another cache. Otherwise the first epoch does
    /// it.
    /// </summary>
    /// <param name="progress">Receives the fraction that is done.</param>
    /// <param name="cancellation">Cancels it, leaving no file.</param>
    public void Prepare(IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        _cache.Prepare(RecordSkip, progress, cancellation);

    /// <summary>
    /// The batches of an epoch, in order. A batch has fewer samples where images could not be read, and is left out
    /// when none could. Of several ranks each gets its own rows of every batch, which may be none; features it gets of
    /// all rows.
    /// </summary>
    /// <param name="epoch">Number of the epoch, from 0.</param>
    /// <param name="firstBatch">Batches before this one are passed over without work; this resumes an interrupted
    /// epoch.</param>
    /// <param name="cancellation">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">
    /// An image cannot be read and <see cref="LoaderOptions.Strict"/> is set, or no image of the epoch can be read.
    /// </exception>
    public IEnumerable<Batch> Epoch(int epoch, int firstBatch = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return Features is { } table ? Enumerate(table, epoch, firstBatch, cancellation)
            : Enumerate(epoch, firstBatch, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private IEnumerable<Batch> Enumerate(int epoch, int firstBatch, CancellationToken cancellation)
    {
        Prepare(null, cancellation);
        int given = 0, asked = 0;
        using var prefetcher = new BatchPrefetcher(BatchesFrom(epoch, firstBatch), _renderer,
            () => NewPipeline((uint)epoch), _options, cancellation);
        for (int number = firstBatch; number < BatchesPerEpoch; number++)
        {
            long start = Stopwatch.GetTimestamp();
            Batch? batch = prefetcher.Next();
            Interlocked.Add(ref _waitedTicks, Stopwatch.GetElapsedTime(start).Ticks);
            asked += OwnRows(number).Count;
            // The other ranks' rows make a batch of their own: all of them take the same steps.
            if (batch is null && _options.Ranks.Size == 1)
                continue;
            given += batch?.Count ?? 0;
            yield return batch ?? new Batch(number, [], [], []);
        }
        if (given == 0 && asked > 0)
            throw new InputException(
                $"none of the pictures of the {Split.Name} split could be read, the first: "
                + $"{_skipped.Values.Order(StringComparer.Ordinal).First()}");
    }

    private IEnumerable<Batch> Enumerate(FeatureTable table, int epoch, int firstBatch,
        CancellationToken cancellation)
    {
        EpochSample[] order = EpochOrder.Create(Split, _options, epoch);
        for (int number = firstBatch; number < BatchesPerEpoch; number++)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] indices = [.. order.Skip(number * _options.BatchSize).Take(_options.BatchSize)
                .Select(sample => sample.Index).Where(index => table.IsThere[index])];
            if (indices.Length > 0)
                yield return new Batch(number, [.. indices.Select(index => Split.Samples[index].Label)], indices,
                    table.Rows(indices));
        }
    }

    private IEnumerable<PendingBatch> BatchesFrom(int epoch, int firstBatch)
    {
        EpochSample[] order = EpochOrder.Create(Split, _options, epoch);
        PixelPipeline pipeline = NewPipeline((uint)epoch);
        for (int number = firstBatch; number < BatchesPerEpoch; number++)
        {
            (int first, int count) = OwnRows(number);
            yield return new PendingBatch(number, order.AsMemory(first, count), _options, pipeline, _buffers);
        }
    }

    private (int First, int Count) OwnRows(int number)
    {
        int first = number * _options.BatchSize, samples = Math.Min(_options.BatchSize, Split.Samples.Count - first);
        int begin = _options.FirstRow(_options.Ranks.Rank, samples);
        return (first + begin, _options.FirstRow(_options.Ranks.Rank + 1, samples) - begin);
    }

    private PixelPipeline NewPipeline(uint epoch)
    {
        int ramp = _options.AugmentationRampEpochs;
        float strength = ramp == 0 ? 1 : Math.Min(1, (float)epoch / ramp);
        return new(_options.ImageSize, _options.Augmentation.Scaled(strength), _table);
    }

    private void RecordSkip(string name, InputException failure)
    {
        if (_options.Strict)
            throw failure;
        _skipped.TryAdd(name, failure.Message);
    }
}
