using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>Batches of named samples with CLIP's test transform, for a model that only looks.</summary>
internal static class SampleReader
{
    /// <summary>Images that go through a model together.</summary>
    public const int BatchSize = 16;

    /// <summary>Opens <paramref name="split"/>.</summary>
    /// <param name="split">The samples.</param>
    /// <param name="clip">The model that takes the images.</param>
    /// <param name="frames">Frames a sample; 1 for images.</param>
    /// <param name="strict">Whether an unreadable image is an error; else it is left out.</param>
    /// <param name="model">Facts of a checkpoint on how frames are taken of a clip; null for evenly.</param>
    /// <param name="flip">Whether the mirror image of each image comes with it.</param>
    public static BatchLoader Open(DataSplit split, ClipModel clip, int frames, bool strict,
        CheckpointInfo? model = null, bool flip = false) =>
        new(split, LoaderOptions.For(clip.Vision.Input, clip.Device) with
        {
            BatchSize = Math.Min(BatchSize, Math.Max(1, split.Samples.Count)),
            Frames = frames,
            FramesPerSegment = frames > 1 ? model?.FramesPerSegment ?? 1 : 1,
            ShortClips = model?.ShortClips ?? ShortClips.RepeatLast,
            RandomFrames = false,
            Strict = strict,
            Mirrored = flip,
        });
}
