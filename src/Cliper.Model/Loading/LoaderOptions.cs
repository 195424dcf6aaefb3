using Cliper.Kernels.Collectives;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>In which order an epoch takes the samples.</summary>
public enum SampleOrder
{
    /// <summary>The order of the split, for evaluation.</summary>
    AsGiven,

    /// <summary>Every sample once, in an order of the epoch's own.</summary>
    Shuffled,

    /// <summary>
    /// Every class equally often, in as many draws as there are samples: samples of rare classes come more than once.
    /// </summary>
    Balanced,
}

/// <summary>Where decoded images are kept between epochs.</summary>
public enum CacheMode
{
    /// <summary>Nowhere: every epoch reads and decodes the files.</summary>
    None,

    /// <summary>In memory, up to <see cref="LoaderOptions.CacheBytes"/>.</summary>
    Memory,

    /// <summary>In one file of <see cref="LoaderOptions.CacheFolder"/>.</summary>
    Disk,
}

/// <summary>How a <see cref="BatchLoader"/> works.</summary>
public sealed record LoaderOptions
{
    /// <summary>Samples of a batch.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>Side of the network's input, in pixels.</summary>
    public int ImageSize { get; init; } = 224;

    /// <summary>Side of the patches into which a GPU unfolds the input; divides <see cref="ImageSize"/>.</summary>
    public int PatchSize { get; init; } = 16;

    /// <summary>Frames taken of each sample: 1 for images.</summary>
    public int Frames { get; init; } = 1;

    /// <summary>Consecutive frames taken of each segment; divides <see cref="Frames"/>.</summary>
    public int FramesPerSegment { get; init; } = 1;

    /// <summary>How clips with few frames are filled up.</summary>
    public ShortClips ShortClips { get; init; } = ShortClips.RepeatLast;

    /// <summary>whether frames are sampled at random in each segment; null: when the order is random.</summary>
    public bool? RandomFrames { get; init; }

    /// <summary>
    /// Whether every frame is followed by its mirror image (test-time augmentation): a sample then has twice
    /// <see cref="Frames"/> images, whose features the model averages. Not with an augmentation.
    /// </summary>
    public bool Mirrored { get; init; }

    /// <summary>Images that a batch holds of each sample.</summary>
    internal int ImagesPerSample => Mirrored ? 2 * Frames : Frames;

    /// <summary>Augmentation of the images.</summary>
    public Augmentation Augmentation { get; init; } = Augmentation.None;

    /// <summary>
    /// Epochs over which the augmentation grows from nothing to its full strength; 0 for full from the first.
    /// </summary>
    public int AugmentationRampEpochs { get; init; }

    /// <summary>The order of the samples.</summary>
    public SampleOrder Order { get; init; } = SampleOrder.AsGiven;

    /// <summary>Seed of order, frames and augmentation.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether a last batch that is not full is left out.</summary>
    public bool DropLast { get; init; }

    /// <summary>Threads that decode and augment; 0 does it on the calling thread, when a batch is asked for.</summary>
    public int Threads { get; init; } = 1;

    /// <summary>Batches prepared ahead.</summary>
    public int Prefetch { get; init; } = 4;

    /// <summary>Where decoded images are kept.</summary>
    public CacheMode Cache { get; init; } = CacheMode.None;

    /// <summary>Most bytes kept in memory; images beyond are decoded every time.</summary>
    public long CacheBytes { get; init; } = 2L << 30;

    /// <summary>Folder of the cache file.</summary>
    public string? CacheFolder { get; init; }

    /// <summary>Whether an unreadable image is an error; otherwise it is skipped and recorded.</summary>
    public bool Strict { get; init; }

    /// <summary>Mean of each channel; CLIP's.</summary>
    public IReadOnlyList<float> Mean { get; init; } = [0.48145466f, 0.4578275f, 0.40821073f];

    /// <summary>Std of each channel; CLIP's.</summary>
    public IReadOnlyList<float> Std { get; init; } = [0.26862954f, 0.26130258f, 0.27577711f];

    /// <summary>
    /// Device that the batches go to. A GPU augments and normalizes the images itself, with the same result; else the
    /// loader does.
    /// </summary>
    public Device? Device { get; init; }

    /// <summary>
    /// The ranks that share every batch: each makes the samples of its own rows,
    /// [<see cref="FirstRow"/>(r), <see cref="FirstRow"/>(r + 1)) of the batch, and may make none.
    /// </summary>
    public RankGroup Ranks { get; init; } = RankGroup.Alone;

    /// <summary>The first row of a rank in a batch.</summary>
    /// <param name="rank">The rank; their number for the end of the last one's rows.</param>
    /// <param name="samples">Samples of the batch.</param>
    internal int FirstRow(int rank, int samples) => (int)((long)samples * rank / Ranks.Size);

    /// <summary>Decodes the files.</summary>
    public IImageCodec Codec { get; init; } = ImageCodec.Instance;

    /// <summary>The options that a model determines: image and patch size, mean, std and device.</summary>
    /// <param name="input">Form of the images that the model's image tower takes.</param>
    /// <param name="device">Device that the model is on.</param>
    public static LoaderOptions For(ImageInput input, Device device) => new()
    {
        Device = device,
        Ranks = device.Ranks,
        ImageSize = input.ImageSize,
        PatchSize = input.PatchSize,
        Mean = input.Mean.ToArray(),
        Std = input.Std.ToArray(),
    };

    /// <summary>Throws unless every value is in its range.</summary>
    /// <exception cref="SettingsException">A value is out of range.</exception>
    internal void Check()
    {
        AtLeast(BatchSize, 1, "the batch size");
        AtLeast(ImageSize, 1, "the image size");
        AtLeast(PatchSize, 1, "the patch size");
        if (RawImages.AreFor(Device) && ImageSize % PatchSize != 0)
            throw new SettingsException($"patches of {PatchSize} pixels do not divide the {ImageSize} of a side");
        AtLeast(Frames, 1, "the number of frames");
        AtLeast(FramesPerSegment, 1, "the number of frames per segment");
        AtLeast(Threads, 0, "the number of data threads");
        AtLeast(Prefetch, 1, "the number of batches ahead");
        if (Frames % FramesPerSegment != 0)
            throw new SettingsException($"{FramesPerSegment} frames per segment do not divide the {Frames} frames");
        if (Cache == CacheMode.Disk && string.IsNullOrEmpty(CacheFolder))
            throw new SettingsException("a cache on disk needs a folder");
        if (Mean.Count != 3 || Std.Count != 3 || Std.Any(value => !(value > 0)))
            throw new SettingsException(
                "mean and deviation have a value for each of 3 channels, the deviation above 0");
        if (Mirrored && !Augmentation.IsNone)
            throw new SettingsException($"mirror images are of the test transform, given was the augmentation "
                + Augmentation.Name);
        Augmentation.Check();

        static void AtLeast(int value, int least, string what)
        {
            if (value < least)
                throw new SettingsException($"{what} is at least {least}, given was {value}");
        }
    }
}
