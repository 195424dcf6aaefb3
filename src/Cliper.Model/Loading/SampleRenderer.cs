using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Loading;

/// <summary>
/// Chooses the frames, the transforms and the label of a sample by the random numbers of its epoch, and renders the
/// pixels unless a GPU will. Thread-safe.
/// </summary>
/// <param name="split">The samples.</param>
/// <param name="options">The loader's options.</param>
/// <param name="cache">Holds decoded images.</param>
/// <param name="skip">Receives the name of each image that cannot be read, and the reason.</param>
internal sealed class SampleRenderer(DataSplit split, LoaderOptions options, PixelCache cache,
    Action<string, InputException> skip)
{
    private readonly int[] _firstFrame = FirstFrames(split);

    /// <summary>Fills a slot of a batch.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="slot">Index of the slot, which holds one sample.</param>
    /// <param name="pipeline">The pipeline of the calling thread.</param>
    /// <returns>Whether all frames of the sample could be read.</returns>
    public bool Fill(PendingBatch batch, int slot, PixelPipeline pipeline)
    {
        EpochSample at = batch.Samples.Span[slot];
        Sample sample = split.Samples[at.Index];
        int[] frames = FramesOf(sample, at);
        var random = new RandomStream(options.Seed, RandomPurpose.Augmentation, at.Epoch, at.Key);
        if (cache.Get(_firstFrame[at.Index], sample.Frames, frames, skip) is not { } stored)
            return false;
        for (int i = 0; i < frames.Length; i++)
        {
            ImageTransform transform = pipeline.Draw(stored[i], random);
            Put(batch, slot, options.Mirrored ? 2 * i : i, stored[i], transform, pipeline);
            if (options.Mirrored)
                Put(batch, slot, 2 * i + 1, stored[i], pipeline.Mirrored(transform), pipeline);
        }
        batch.Labels[slot] = LabelOf(sample, at);
        return true;
    }

    private void Put(PendingBatch batch, int slot, int image, StoredImage stored, in ImageTransform transform,
        PixelPipeline pipeline)
    {
        int plane = 3 * options.ImageSize * options.ImageSize;
        if (batch.IsRaw)
            batch.RawSlot(slot)[image] = (stored, transform);
        else
            pipeline.Render(stored, transform, batch.PixelSlot(slot).Slice(image * plane, plane));
    }

    private static int[] FirstFrames(DataSplit split)
    {
        var first = new int[split.Samples.Count];
        for (int i = 1; i < first.Length; i++)
            first[i] = first[i - 1] + split.Samples[i - 1].Frames.Count;
        return first;
    }

    private int[] FramesOf(Sample sample, EpochSample at)
    {
        bool isRandom = options.RandomFrames ?? options.Order != SampleOrder.AsGiven;
        return FrameSampling.Indices(sample.Frames.Count, options.Frames / options.FramesPerSegment,
            options.FramesPerSegment, options.ShortClips,
            isRandom ? new RandomStream(options.Seed, RandomPurpose.FrameSampling, at.Epoch, at.Key) : null);
    }

    // Where annotators disagree, training draws the label by their votes in each epoch.
    private int LabelOf(Sample sample, EpochSample at)
    {
        if (sample.Votes is not { } votes || options.Order == SampleOrder.AsGiven)
            return sample.Label;
        double drawn = new RandomStream(options.Seed, RandomPurpose.Labels, at.Epoch, at.Key).NextUniform();
        for (int label = 0; label < votes.Count; label++)
            if ((drawn -= votes[label]) < 0)
                return label;
        // Rounded shares may add up to a little less than 1.
        return sample.Label;
    }
}
