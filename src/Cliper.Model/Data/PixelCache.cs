namespace Cliper.Model.Data;

/// <summary>Keeps pictures as <see cref="PixelPipeline.Store"/> made them. Thread-safe.</summary>
internal abstract class PixelCache(IImageCodec codec) : IDisposable
{
    /// <summary>The cache that the options ask for.</summary>
    public static PixelCache Create(DataSplit split, LoaderOptions options) => options.Cache switch
    {
        CacheMode.None => new NoCache(options.Codec),
        CacheMode.Memory => new MemoryCache(options.Codec, split.Samples.Sum(sample => sample.Frames.Count), options.CacheBytes),
        CacheMode.Disk => new DiskCache(split, options),
        _ => throw new SettingsException($"there is no cache '{options.Cache}'"),
    };

    /// <summary>A picture.</summary>
    /// <param name="index">Number of the frame, counted through the split.</param>
    /// <param name="frame">The frame.</param>
    /// <param name="pipeline">The calling thread's.</param>
    /// <exception cref="InputException">It cannot be read.</exception>
    public abstract StoredImage Get(int index, Frame frame, PixelPipeline pipeline);

    /// <summary>Makes the cache complete, if it is of a kind that must be before use.</summary>
    public virtual void Prepare(Func<PixelPipeline> pipelines, Action<string, InputException> skip, IProgress<double>? progress,
        CancellationToken cancellation)
    {
    }

    /// <inheritdoc/>
    public virtual void Dispose()
    {
    }

    /// <summary>Reads the file.</summary>
    protected StoredImage Load(Frame frame, PixelPipeline pipeline) => pipeline.Store(frame.Load(codec));

    private sealed class NoCache(IImageCodec codec) : PixelCache(codec)
    {
        public override StoredImage Get(int index, Frame frame, PixelPipeline pipeline) => Load(frame, pipeline);
    }

    private sealed class MemoryCache(IImageCodec codec, int frames, long limit) : PixelCache(codec)
    {
        private readonly StoredImage?[] _images = new StoredImage?[frames];
        private long _bytes;

        public override StoredImage Get(int index, Frame frame, PixelPipeline pipeline)
        {
            if (Volatile.Read(ref _images[index]) is { } known)
                return known;
            StoredImage image = Load(frame, pipeline);
            if (Interlocked.Add(ref _bytes, image.Pixels.Length) <= limit)
                Volatile.Write(ref _images[index], image);
            else
                Interlocked.Add(ref _bytes, -image.Pixels.Length);
            return image;
        }
    }
}
