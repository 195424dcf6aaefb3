using System.Collections.Concurrent;
using Cliper.Model.Images;

namespace Cliper.Model.Loading;

/// <summary>A batch whose slots, one a sample, are being filled by worker threads.</summary>
internal sealed class PendingBatch
{
    private readonly int _number;
    private readonly LoaderOptions _options;
    private readonly PixelPipeline _pipeline;
    private readonly ConcurrentBag<float[]> _buffers;
    private readonly bool[] _isFilled;
    private readonly int _values;
    private readonly float[] _pixels;
    private readonly (StoredImage Image, ImageTransform Transform)[] _raw;
    private int _claimed;
    private int _left;

    /// <summary>Creates a batch with empty slots.</summary>
    /// <param name="number">Index in the epoch.</param>
    /// <param name="samples">One sample a slot.</param>
    /// <param name="options">The loader's options.</param>
    /// <param name="pipeline">Pipeline of the epoch, for images that a GPU renders.</param>
    /// <param name="buffers">Pool of pixel buffers.</param>
    public PendingBatch(int number, ReadOnlyMemory<EpochSample> samples, LoaderOptions options, PixelPipeline pipeline,
        ConcurrentBag<float[]> buffers)
    {
        (_number, Samples, _options, _pipeline, _buffers) = (number, samples, options, pipeline, buffers);
        (_left, _isFilled, Labels) = (samples.Length, new bool[samples.Length], new int[samples.Length]);
        (_pixels, _raw) = ([], []);
        if (samples.IsEmpty)
            Done.Set();
        IsRaw = RawImages.AreFor(options.Device);
        if (IsRaw)
        {
            _raw = new (StoredImage, ImageTransform)[samples.Length * options.ImagesPerSample];
            return;
        }
        _values = options.ImagesPerSample * 3 * options.ImageSize * options.ImageSize;
        _pixels = buffers.TryTake(out float[]? buffer) ? buffer
            : GC.AllocateUninitializedArray<float>(checked(options.BatchSize * _values));
    }

    /// <summary>The samples, [slots].</summary>
    public ReadOnlyMemory<EpochSample> Samples { get; }

    /// <summary>Label of each filled slot, [slots].</summary>
    public int[] Labels { get; }

    /// <summary>Whether a GPU renders the pixels.</summary>
    public bool IsRaw { get; }

    /// <summary>Set when every slot is done.</summary>
    public ManualResetEventSlim Done { get; } = new();

    /// <summary>An exception other than an image that cannot be read; null for none.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Pixels of a slot, [images, 3, ImageSize, ImageSize].</summary>
    public Span<float> PixelSlot(int slot) => _pixels.AsSpan(slot * _values, _values);

    /// <summary>Images and transforms of a slot, [images]; empty when no GPU renders them.</summary>
    public Span<(StoredImage Image, ImageTransform Transform)> RawSlot(int slot) =>
        IsRaw ? _raw.AsSpan(slot * _options.ImagesPerSample, _options.ImagesPerSample) : [];

    /// <summary>The next slot to fill, or -1. Only one thread may call it at a time.</summary>
    public int Claim() => _claimed < Samples.Length ? _claimed++ : -1;

    /// <summary>Marks a slot as done.</summary>
    /// <param name="slot">The slot.</param>
    /// <param name="isFilled">Whether its sample could be read.</param>
    public void Complete(int slot, bool isFilled)
    {
        _isFilled[slot] = isFilled;
        if (Interlocked.Decrement(ref _left) == 0)
            Done.Set();
    }

    /// <summary>Returns the pixel buffer to the pool, when the batch is not used.</summary>
    public void Release()
    {
        if (!IsRaw)
            _buffers.Add(_pixels);
    }

    /// <summary>The batch of all filled slots, moved together; null when there are none.</summary>
    public Batch? ToBatch()
    {
        int count = 0;
        var labels = new int[_isFilled.Count(filled => filled)];
        var indices = new int[labels.Length];
        for (int slot = 0; slot < Samples.Length; slot++)
        {
            if (!_isFilled[slot])
                continue;
            if (count != slot)
            {
                PixelSlot(slot).CopyTo(PixelSlot(count));
                RawSlot(slot).CopyTo(RawSlot(count));
            }
            (indices[count], labels[count]) = (Samples.Span[slot].Index, Labels[slot]);
            count++;
        }
        if (count == 0)
        {
            Release();
            return null;
        }
        RawImages? raw = IsRaw
            ? new RawImages(new ArraySegment<(StoredImage, ImageTransform)>(_raw, 0, count * _options.ImagesPerSample),
            _pipeline,
                _options.PatchSize)
            : null;
        return new Batch(_number, _options, _pixels, raw, _buffers, labels, indices);
    }
}
