using System.Collections;
using System.Globalization;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Video;

/// <summary>
/// A video's frames as the frames of a sample. One alone is decoded by seeking to it; <see cref="FrameReader"/> decodes several
/// in one run.
/// </summary>
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
}

/// <summary>A frame of a video.</summary>
/// <param name="video">The video.</param>
/// <param name="index">Its number, from 0.</param>
internal sealed class VideoFrame(VideoFile video, int index) : Frame
{
    /// <summary>The video.</summary>
    public VideoFile Video => video;

    /// <summary>Its number, from 0.</summary>
    public int Index => index;

    /// <inheritdoc/>
    public override string Name => string.Create(CultureInfo.InvariantCulture, $"{video.Path}, frame {index}");

    /// <inheritdoc/>
    public override string Identity =>
        string.Create(CultureInfo.InvariantCulture, $"{new FileFrame(video.Path).Identity}|{video.Rate:R}|{index}");

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec) => video.FrameAt(index);
}
