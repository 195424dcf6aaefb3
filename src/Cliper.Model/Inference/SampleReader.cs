using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>Batches of named samples with CLIP's test transform, for a model that only looks.</summary>
internal static class SampleReader
{
    private const int BatchSize = 16;

    /// <summary>Opens <paramref name="split"/>.</summary>
    /// <param name="split">What to read.</param>
    /// <param name="config">The model whose input is wanted.</param>
    /// <param name="device">Where it is.</param>
    /// <param name="frames">Frames a sample; 1 for pictures.</param>
    /// <param name="strict">Whether an unreadable picture is an error; else it is left out.</param>
    /// <param name="model">What a checkpoint says of how frames are taken of a clip; null for evenly.</param>
    public static BatchLoader Open(DataSplit split, ClipConfig config, Device device, int frames, bool strict, CheckpointInfo? model = null) =>
        new(split, LoaderOptions.For(config, device) with
        {
            BatchSize = Math.Min(BatchSize, Math.Max(1, split.Samples.Count)),
            Frames = frames,
            FramesPerSegment = frames > 1 ? model?.FramesPerSegment ?? 1 : 1,
            ShortClips = model?.ShortClips ?? ShortClips.RepeatLast,
            RandomFrames = false,
            Strict = strict,
        });
}
