using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>Loads images, and keeps them in the form of <see cref="Store(RgbImage)"/>. Thread-safe.</summary>
internal abstract class PixelCache(LoaderOptions options) : IDisposable
{
    /// <summary>Shorter side that crops of original images are taken from, by the input size.</summary>
    private const double OriginalScale = 1.5;

    /// <summary>The loader's options.</summary>
    protected LoaderOptions Options { get; } = options;

    /// <summary>The cache that the options ask for.</summary>
    public static PixelCache Create(DataSplit split, LoaderOptions options) => options.Cache switch
    {
        CacheMode.None => new NoCache(options),
        CacheMode.Memory => new MemoryCache(options, split.Samples.Sum(sample => sample.Frames.Count)),
        CacheMode.Disk => new DiskCache(split, options),
        _ => throw new SettingsException($"there is no cache '{options.Cache}'"),
    };

    /// <summary>
    /// The image in the smaller of two forms: as it is, or as every epoch needs it (the test transform's square; for
    /// crops of the original, the shorter side at most 1.5 input sizes). Which of the two has no influence on what is
    /// rendered.
    /// </summary>
    /// <param name="image">The decoded image.</param>
    /// <param name="size">Side of the network's input.</param>
    /// <param name="fromOriginal">Whether crops are taken from the original image.</param>
    public static StoredImage Store(RgbImage image, int size, bool fromOriginal)
    {
        StoredImage whole = StoredImage.Of(image);
        if (fromOriginal)
        {
            int limit = (int)(size * OriginalScale);
            return Math.Min(whole.Width, whole.Height) <= limit ? whole
                : whole.Resized(Resizing.ToShorterSide(whole.Width, whole.Height, limit));
        }
        return whole.Pixels.Length <= size * size * whole.Channels ? whole
            : whole.Resized(Resizing.ToSquare(whole.Width, whole.Height, size));
    }

    /// <summary>The image in the form that this cache's options ask for.</summary>
    protected StoredImage Store(RgbImage image) =>
        Store(image, Options.ImageSize, Options.Augmentation.FromOriginal);

    /// <summary>Images of a sample; null after reporting one that cannot be read.</summary>
    /// <param name="first">Number of the sample's first frame, counted through the split.</param>
    /// <param name="frames">The sample's frames.</param>
    /// <param name="wanted">Indices of the wanted frames; repetitions are allowed.</param>
    /// <param name="skip">Receives the name of each image that cannot be read, and the reason.</param>
    public StoredImage[]? Get(int first, IReadOnlyList<Frame> frames, int[] wanted,
        Action<string, InputException> skip)
    {
        StoredImage?[] images = Array.ConvertAll(wanted, index => Find(first + index));
        if (!images.Contains(null))
            return images!;
        int[] lacking = [.. wanted.Where((_, place) => images[place] is null).Distinct().Order()];
        bool readable = true;
        Frame.LoadAll(Array.ConvertAll(lacking, index => frames[index]), Options.Codec, (at, loaded) =>
        {
            StoredImage image = Store(loaded);
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
    public virtual void Prepare(Action<string, InputException> skip, IProgress<double>? progress,
        CancellationToken cancellation)
    {
    }

    /// <inheritdoc/>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    private sealed class NoCache(LoaderOptions options) : PixelCache(options)
    {
        protected override StoredImage? Find(int index) => null;
    }

    private sealed class MemoryCache(LoaderOptions options, int frames) : PixelCache(options)
    {
        private readonly long _limit = options.CacheBytes;
        private readonly StoredImage?[] _images = new StoredImage?[frames];
        private long _bytes;

        protected override StoredImage? Find(int index) => Volatile.Read(ref _images[index]);

        protected override void Keep(int index, StoredImage image)
        {
            if (Interlocked.Add(ref _bytes, image.Pixels.Length) <= _limit)
                Volatile.Write(ref _images[index], image);
            else
                Interlocked.Add(ref _bytes, -image.Pixels.Length);
        }
    }
}
