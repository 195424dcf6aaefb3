using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>Keeps images as <see cref="PixelPipeline.Store"/> made them. Thread-safe.</summary>
internal abstract class PixelCache(IImageCodec codec) : IDisposable
{
    /// <summary>The cache that the options ask for.</summary>
    public static PixelCache Create(DataSplit split, LoaderOptions options) => options.Cache switch
    {
        CacheMode.None => new NoCache(options.Codec),
        CacheMode.Memory => new MemoryCache(options.Codec, split.Samples.Sum(sample => sample.Frames.Count),
        options.CacheBytes),
        CacheMode.Disk => new DiskCache(split, options),
        _ => throw new SettingsException($"there is no cache '{options.Cache}'"),
    };

    /// <summary>Images of a sample; null after reporting one that cannot be read.</summary>
    /// <param name="first">Number of the sample's first frame, counted through the split.</param>
    /// <param name="frames">The sample's frames.</param>
    /// <param name="wanted">Indices of the wanted frames; repetitions are allowed.</param>
    /// <param name="pipeline">Pipeline of the calling thread.</param>
    /// <param name="skip">Receives the name of each image that cannot be read, and the reason.</param>
    public StoredImage[]? Get(int first, IReadOnlyList<Frame> frames, int[] wanted, PixelPipeline pipeline,
        Action<string, InputException> skip)
    {
        StoredImage?[] images = Array.ConvertAll(wanted, index => Find(first + index));
        if (!images.Contains(null))
            return images!;
        int[] lacking = [.. wanted.Where((_, place) => images[place] is null).Distinct().Order()];
        bool readable = true;
        FrameReader.Load(Array.ConvertAll(lacking, index => frames[index]), codec, (at, loaded) =>
        {
            StoredImage image = pipeline.Store(loaded);
            Keep(first + lacking[at], image);
            for (int place = 0; place < wanted.Length; place++)
                if (wanted[place] == lacking[at])
                    images[place] = image;
        }, (at, failure) =>
        {
            readable = false;
            skip(frames[lacking[at]].Name, failure);
        });
        if (!readable)
            return null;
        return images!;
    }

    /// <summary>An image that is kept; null where it is not.</summary>
    /// <param name="index">Number of the frame, counted through the split.</param>
    protected abstract StoredImage? Find(int index);

    /// <summary>Keeps an image that has been loaded, if there is room.</summary>
    protected virtual void Keep(int index, StoredImage image)
    {
    }

    /// <summary>Makes the cache complete, if it is of a kind that must be before use.</summary>
    public virtual void Prepare(Func<PixelPipeline> pipelines, Action<string, InputException> skip,
        IProgress<double>? progress,
        CancellationToken cancellation)
    {
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    private sealed class NoCache(IImageCodec codec) : PixelCache(codec)
    {
        protected override StoredImage? Find(int index) => null;
    }

    private sealed class MemoryCache(IImageCodec codec, int frames, long limit) : PixelCache(codec)
    {
        private readonly StoredImage?[] _images = new StoredImage?[frames];
        private long _bytes;

        protected override StoredImage? Find(int index) => Volatile.Read(ref _images[index]);

        protected override void Keep(int index, StoredImage image)
        {
            if (Interlocked.Add(ref _bytes, image.Pixels.Length) <= limit)
                Volatile.Write(ref _images[index], image);
            else
                Interlocked.Add(ref _bytes, -image.Pixels.Length);
        }
    }
}
