using System.Collections;
using System.Globalization;

namespace Cliper.Model.Data.Video;

/// <summary>A video's frames as the frames of a sample; each is decoded when it is loaded, by seeking to it.</summary>
/// <param name="video">The video.</param>
public sealed class VideoFrames(VideoFile video) : IReadOnlyList<Frame>
{
    /// <inheritdoc/>
    public int Count { get; } = video.FrameCount;

    /// <inheritdoc/>
    public Frame this[int index] => (uint)index < (uint)Count ? new VideoFrame(video, index)
        : throw new ArgumentOutOfRangeException(nameof(index));

    /// <inheritdoc/>
    public IEnumerator<Frame> GetEnumerator() => Enumerable.Range(0, Count).Select(index => this[index]).GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private sealed class VideoFrame(VideoFile video, int index) : Frame
    {
        public override string Name => string.Create(CultureInfo.InvariantCulture, $"{video.Path}, frame {index}");

        public override string Identity =>
            string.Create(CultureInfo.InvariantCulture, $"{new FileFrame(video.Path).Identity}|{video.Rate:R}|{index}");

        public override RgbImage Load(IImageCodec codec) => video.FrameAt(index);
    }
}
