using System.Collections;
using System.Globalization;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Video;

/// <summary>
/// The frames of a video as the frames of a sample. A single frame is decoded by seeking to it; frames that
/// <see cref="Frame.LoadAll"/> loads together are decoded in one run of ffmpeg.
/// </summary>
/// <param name="video">The video.</param>
internal sealed class VideoFrames(VideoFile video) : IReadOnlyList<Frame>
{
    /// <inheritdoc/>
    public int Count { get; } = video.FrameCount;

    /// <inheritdoc/>
    public Frame this[int index] => (uint)index < (uint)Count ? new VideoFrame(video, index)
        : throw new ArgumentOutOfRangeException(nameof(index));

    /// <inheritdoc/>
    public IEnumerator<Frame> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index])
        .GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>A frame of a video.</summary>
/// <param name="video">The video.</param>
/// <param name="index">Index of the frame in the video, from 0.</param>
internal sealed class VideoFrame(VideoFile video, int index) : Frame
{
    private int Index => index;

    private VideoFile Video => video;

    /// <inheritdoc/>
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{video.Path}, frame {index}");

    /// <inheritdoc/>
    public override string Identity =>
        string.Create(CultureInfo.InvariantCulture, $"{new FileFrame(video.Path).Identity}|{video.Rate:R}|{index}");

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => video.FrameAt(index);

    /// <inheritdoc/>
    internal override bool Continues(Frame previous) =>
        previous is VideoFrame before && before.Video == video && index > before.Index;

    /// <inheritdoc/>
    internal override void LoadMany(IReadOnlyList<Frame> run, IImageCodec codec, Action<int, RgbImage> loaded,
        Action<int, InputException> failed)
    {
        if (run.Count == 1)
        {
            base.LoadMany(run, codec, loaded, failed);
            return;
        }
        var positions = Enumerable.Range(0, run.Count).ToDictionary(position => ((VideoFrame)run[position]).Index);
        string? damage = null;
        try
        {
            foreach ((int frame, RgbImage image) in video.Chosen([.. positions.Keys.Order()], text => damage ??= text))
                if (positions.Remove(frame, out int position))
                    loaded(position, image);
        }
        catch (InputException failure)
        {
            damage ??= failure.Message;
        }
        foreach (int position in positions.Values.Order())
            failed(position, new InputException($"{run[position].Name}: the frame cannot be decoded"
                + (damage is null ? "; the video ends before it" : $" ({damage})")));
    }
}
