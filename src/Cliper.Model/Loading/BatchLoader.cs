using System.Collections.Concurrent;
using System.Diagnostics;
using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>
/// Makes batches of a split: reads, decodes, varies and normalises pictures on threads of its own, a few batches ahead; for a GPU it
/// only says how they vary. Order and variation of epoch e are functions of (seed, e, sample) alone, so that an epoch can be resumed at any batch and does
/// not depend on the number of threads or on the cache.
/// </summary>
public sealed class BatchLoader : IDisposable
{
    private readonly LoaderOptions _options;
    private readonly float[] _table;
    private readonly int[] _firstFrame;
    private readonly PixelCache _cache;
    private readonly bool _isRaw;
    private readonly ConcurrentDictionary<string, string> _skipped = new();
    private readonly ConcurrentBag<float[]> _buffers = [];
    private long _waitedTicks;

    /// <summary>A loader of <paramref name="split"/>.</summary>
    /// <exception cref="SettingsException">An option is out of range.</exception>
    public BatchLoader(DataSplit split, LoaderOptions options)
    {
        options.Check();
        if (split.Samples.Count == 0)
            throw new InputException($"the {split.Name} split has no samples");
        (Split, _options, _isRaw) = (split, options, RawImages.AreFor(options.Device));
        _table = Normalize.Table([.. options.Mean], [.. options.Std]);
        _firstFrame = new int[split.Samples.Count + 1];
        for (int i = 0; i < split.Samples.Count; i++)
            _firstFrame[i + 1] = _firstFrame[i] + split.Samples[i].Frames.Count;
        _cache = PixelCache.Create(split, options);
    }

    /// <summary>The samples.</summary>
    public DataSplit Split { get; }

    /// <summary>Batches of an epoch.</summary>
    public int BatchesPerEpoch => _options.DropLast
        ? Split.Samples.Count / _options.BatchSize
        : (Split.Samples.Count + _options.BatchSize - 1) / _options.BatchSize;

    /// <summary>Time that the consumer has waited for batches, over all epochs.</summary>
    public TimeSpan Waited => new(Volatile.Read(ref _waitedTicks));

    /// <summary>Pictures that could not be read, by name, and why.</summary>
    public IReadOnlyDictionary<string, string> Skipped => _skipped;

    /// <summary>
    /// Decodes what the cache on disk lacks; does nothing with another cache. The first epoch does it otherwise.
    /// </summary>
    /// <param name="progress">Told the share that is done.</param>
    /// <param name="cancellation">Ends it early, leaving no file.</param>
    public void Prepare(IProgress<double>? progress = null, CancellationToken cancellation = default) =>
        _cache.Prepare(() => NewPipeline(0), RecordSkip, progress, cancellation);

    /// <summary>
    /// The batches of an epoch, in order. A batch has fewer samples where pictures could not be read, and is left out when none
    /// could.
    /// </summary>
    /// <param name="epoch">Its number, from 0.</param>
    /// <param name="firstBatch">Batches before this one are passed over without work: resumes an interrupted epoch.</param>
    /// <param name="cancellation">Ends the enumeration with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Strict, and a picture cannot be read; or no picture of the epoch can.</exception>
    public IEnumerable<Batch> Epoch(int epoch, int firstBatch = 0, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        return Enumerate(epoch, firstBatch, cancellation);
    }

    /// <inheritdoc/>
    public void Dispose() => _cache.Dispose();

    private IEnumerable<Batch> Enumerate(int epoch, int firstBatch, CancellationToken cancellation)
    {
        Prepare(null, cancellation);
        int given = 0, asked = 0;
        using var run = new EpochRun(this, OrderOf(epoch), (uint)epoch, firstBatch, cancellation);
        for (int number = firstBatch; number < BatchesPerEpoch; number++)
        {
            long start = Stopwatch.GetTimestamp();
            Batch? batch = run.Next();
            Interlocked.Add(ref _waitedTicks, Stopwatch.GetElapsedTime(start).Ticks);
            asked++;
            if (batch == null)
                continue;
            given++;
            yield return batch;
        }
        if (given == 0 && asked > 0)
            throw new InputException(
                $"none of the pictures of the {Split.Name} split could be read, the first: "
                + $"{_skipped.Values.Order(StringComparer.Ordinal).First()}");
    }

    /// <summary>A sample's place in the epoch.</summary>
    /// <param name="Index">Index in the split.</param>
    /// <param name="Key">Key of its random numbers: the index, plus the number of samples for each earlier time in the epoch.</param>
    private readonly record struct Turn(int Index, uint Key);

    private Turn[] OrderOf(int epoch)
    {
        int count = Split.Samples.Count;
        var random = new RandomStream(_options.Seed, RandomPurpose.Shuffle, (uint)epoch);
        if (_options.Order == SampleOrder.Balanced)
            return BalancedOrder(ref random);
        int[] order = [.. Enumerable.Range(0, count)];
        if (_options.Order == SampleOrder.Shuffled)
            random.Shuffle(order.AsSpan());
        return Array.ConvertAll(order, index => new Turn(index, (uint)index));
    }

    private Turn[] BalancedOrder(ref RandomStream random)
    {
        int count = Split.Samples.Count;
        int[][] classes = [.. Enumerable.Range(0, count).GroupBy(index => Split.Samples[index].Label).OrderBy(group => group.Key)
            .Select(group => group.ToArray())];
        foreach (int[] members in classes)
            random.Shuffle(members.AsSpan());
        var order = new Turn[count];
        for (int i = 0; i < count; i++)
        {
            int[] members = classes[i % classes.Length];
            int turn = i / classes.Length;
            int index = members[turn % members.Length];
            order[i] = new Turn(index, (uint)(index + turn / members.Length * count));
        }
        random.Shuffle(order.AsSpan());
        return order;
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

    /// <summary>Draws what becomes of a sample's frames, and renders them unless a GPU will; false when one of them cannot be read.</summary>
    private bool Fill(PixelPipeline pipeline, Turn turn, uint epoch, Pending pending, int slot)
    {
        Sample sample = Split.Samples[turn.Index];
        int[] frames = FramesOf(sample, turn, epoch);
        int plane = 3 * _options.ImageSize * _options.ImageSize;
        var random = new RandomStream(_options.Seed, RandomPurpose.Augmentation, epoch, turn.Key);
        if (_cache.Get(_firstFrame[turn.Index], sample.Frames, frames, pipeline, RecordSkip) is not { } stored)
            return false;
        for (int i = 0; i < frames.Length; i++)
        {
            PixelPlan plan = pipeline.Draw(stored[i], random);
            if (_isRaw)
                pending.Raw[slot * frames.Length + i] = (stored[i], plan);
            else
                pipeline.Render(stored[i], plan, pending.Slot(slot).Slice(i * plane, plane));
        }
        return true;
    }

    private int[] FramesOf(Sample sample, Turn turn, uint epoch)
    {
        bool isRandom = _options.RandomFrames ?? _options.Order != SampleOrder.AsGiven;
        return FrameSampling.Indices(sample.Frames.Count, _options.Frames / _options.FramesPerSegment, _options.FramesPerSegment,
            _options.ShortClips, isRandom ? new RandomStream(_options.Seed, RandomPurpose.FrameSampling, epoch, turn.Key) : null);
    }

    /// <summary>The label of a sample: where people disagreed, training draws it by their votes, in every epoch anew.</summary>
    private int LabelOf(Turn turn, uint epoch)
    {
        Sample sample = Split.Samples[turn.Index];
        if (sample.Votes is not { } votes || _options.Order == SampleOrder.AsGiven)
            return sample.Label;
        double drawn = new RandomStream(_options.Seed, RandomPurpose.Labels, epoch, turn.Key).NextUniform();
        for (int label = 0; label < votes.Count; label++)
            if ((drawn -= votes[label]) < 0)
                return label;
        // Shares that add up to a hair less than 1.
        return sample.Label;
    }

    /// <summary>One epoch in progress: workers fill batches within a window before the consumer.</summary>
    private sealed class EpochRun : IDisposable
    {
        private readonly BatchLoader _loader;
        private readonly Turn[] _order;
        private readonly uint _epoch;
        private readonly int _batches;
        private readonly int _batchSize;
        private readonly Lock _gate = new();
        private readonly Queue<Pending> _pending = new();
        private readonly Queue<Pending> _queue = new();
        private readonly SemaphoreSlim _work = new(0);
        private readonly CancellationTokenSource _stop;
        private readonly Thread[] _threads;
        private readonly PixelPipeline _ownPipeline;
        private Pending? _filling;
        private int _started;

        public EpochRun(BatchLoader loader, Turn[] order, uint epoch, int firstBatch, CancellationToken cancellation)
        {
            (_loader, _order, _epoch, _started) = (loader, order, epoch, firstBatch);
            (_batches, _batchSize) = (loader.BatchesPerEpoch, loader._options.BatchSize);
            _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            _ownPipeline = loader.NewPipeline(epoch);
            _threads = new Thread[loader._options.Threads];
            for (int i = 0; i < _threads.Length; i++)
            {
                _threads[i] = new Thread(Work) { IsBackground = true, Name = $"data worker {i}" };
                _threads[i].Start();
            }
            for (int i = 0; i < loader._options.Prefetch; i++)
                Start();
        }

        /// <summary>The next batch; null when none of its pictures could be read.</summary>
        public Batch? Next()
        {
            Pending pending = _pending.Dequeue();
            if (_threads.Length == 0)
                while (!_stop.IsCancellationRequested && pending.Claim() is var slot and >= 0)
                    Fill(pending, slot, _ownPipeline);
            pending.Done.Wait(_stop.Token);
            if (pending.Failure is { } failure)
            {
                pending.GiveBack();
                System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
            }
            Start();
            return pending.ToBatch();
        }

        public void Dispose()
        {
            _stop.Cancel();
            foreach (Thread thread in _threads)
                thread.Join();
            while (_pending.TryDequeue(out Pending? pending))
                pending.GiveBack();
            _work.Dispose();
            _stop.Dispose();
        }

        /// <summary>Opens the window by one batch.</summary>
        private void Start()
        {
            if (_started >= _batches)
                return;
            int first = _started * _batchSize;
            var pending = new Pending(_loader, _started++, _epoch, _order.AsMemory(first, Math.Min(_batchSize, _order.Length - first)));
            _pending.Enqueue(pending);
            lock (_gate)
                _queue.Enqueue(pending);
            if (_threads.Length > 0)
                _work.Release(pending.Size);
        }

        private void Work()
        {
            PixelPipeline pipeline = _loader.NewPipeline(_epoch);
            try
            {
                while (true)
                {
                    _work.Wait(_stop.Token);
                    Pending pending;
                    int slot;
                    lock (_gate)
                    {
                        while (_filling == null || (slot = _filling.Claim()) < 0)
                            _filling = _queue.Dequeue();
                        pending = _filling;
                    }
                    Fill(pending, slot, pipeline);
                }
            }
            catch (OperationCanceledException)
            {
                // The consumer has ended the epoch.
            }
        }

        private void Fill(Pending pending, int slot, PixelPipeline pipeline)
        {
            try
            {
                pending.Ok[slot] = _loader.Fill(pipeline, pending.Turns.Span[slot], _epoch, pending, slot);
            }
            catch (Exception failure)
            {
                pending.Failure = failure;
            }
            pending.SlotDone();
        }
    }

    /// <summary>A batch being filled.</summary>
    private sealed class Pending
    {
        private readonly BatchLoader _loader;
        private readonly int _number;
        private readonly uint _epoch;
        private readonly int _values;
        private readonly float[] _pixels;
        private int _claimed;
        private int _left;

        public Pending(BatchLoader loader, int number, uint epoch, ReadOnlyMemory<Turn> turns)
        {
            (_loader, _number, _epoch, Turns, _left) = (loader, number, epoch, turns, turns.Length);
            LoaderOptions options = loader._options;
            Ok = new bool[turns.Length];
            (_pixels, Raw) = ([], []);
            if (loader._isRaw)
            {
                Raw = new (StoredImage, PixelPlan)[turns.Length * options.Frames];
                return;
            }
            _values = options.Frames * 3 * options.ImageSize * options.ImageSize;
            _pixels = loader._buffers.TryTake(out float[]? buffer) ? buffer : GC.AllocateUninitializedArray<float>(checked(options.BatchSize * _values));
        }

        public ReadOnlyMemory<Turn> Turns { get; }

        public int Size => Turns.Length;

        public bool[] Ok { get; }

        /// <summary>What a GPU makes each slot's frames of.</summary>
        public (StoredImage Image, PixelPlan Plan)[] Raw { get; }

        public ManualResetEventSlim Done { get; } = new();

        public Exception? Failure { get; set; }

        public Span<float> Slot(int slot) => _pixels.AsSpan(slot * _values, _values);

        /// <summary>The next slot to fill, or -1. One thread at a time.</summary>
        public int Claim() => _claimed < Size ? _claimed++ : -1;

        public void SlotDone()
        {
            if (Interlocked.Decrement(ref _left) == 0)
                Done.Set();
        }

        public void GiveBack()
        {
            if (!_loader._isRaw)
                _loader._buffers.Add(_pixels);
        }

        /// <summary>The readable samples, moved together.</summary>
        public Batch? ToBatch()
        {
            int count = 0;
            var labels = new int[Ok.Count(ok => ok)];
            var indices = new int[labels.Length];
            for (int slot = 0; slot < Size; slot++)
            {
                if (!Ok[slot])
                    continue;
                if (count != slot)
                {
                    Slot(slot).CopyTo(Slot(count));
                    RawOf(slot).CopyTo(RawOf(count));
                }
                int index = Turns.Span[slot].Index;
                (indices[count], labels[count]) = (index, _loader.LabelOf(Turns.Span[slot], _epoch));
                count++;
            }
            if (count == 0)
            {
                GiveBack();
                return null;
            }
            LoaderOptions options = _loader._options;
            RawImages? raw = _loader._isRaw
                ? new RawImages(new ArraySegment<(StoredImage, PixelPlan)>(Raw, 0, count * options.Frames), _loader.NewPipeline(_epoch),
                    options.PatchSize)
                : null;
            return new Batch(_number, options.Frames, options.ImageSize, _pixels, raw, _loader._buffers, labels, indices);
        }

        private Span<(StoredImage, PixelPlan)> RawOf(int slot) =>
            _loader._isRaw ? Raw.AsSpan(slot * _loader._options.Frames, _loader._options.Frames) : [];
    }
}
