using System.Globalization;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model.Inference;

/// <summary>
/// A model on videos: for each face one answer for all, or one for every window of frames. Memory grows by the answers
/// alone.
/// </summary>
public sealed class VideoPredictor
{
    /// <summary>Frames of a video that a model of single images looks at.</summary>
    private const int UsualFrames = 16;

    /// <summary>Frames encoded at once.</summary>
    private const int FramesAtOnce = 16;

    private readonly FrameEncoder _encoder;
    private readonly int _frames;
    private readonly FaceCrop _crop;
    private readonly bool _strict;
    private readonly Action<string> _faceless;
    private readonly Action<string> _damage;

    internal VideoPredictor(FrameEncoder encoder, int frames, FaceCrop crop, bool strict, Action<string> faceless,
        Action<string> damage)
    {
        (_encoder, _crop, _strict, _faceless, _damage) = (encoder, crop, strict, faceless, damage);
        _frames = frames > 1 ? frames : UsualFrames;
    }

    /// <summary>
    /// One answer for each face of a video: as many frames as the model was trained on (16 for a model of images), the
    /// middle of each of as many equal stretches.
    /// </summary>
    /// <exception cref="InputException">Nothing can be decoded; or strict, and a part cannot.</exception>
    public IReadOnlyList<VideoFace> Predict(VideoFile video, CancellationToken cancellation)
    {
        _encoder.Cancellation = cancellation;
        int[] indices = FrameSampling.Indices(video.FrameCount, _frames, 1, ShortClips.RepeatLast, null);
        IReadOnlyList<RgbImage> frames = video.Take(indices, Damage, cancellation);
        var faces = new VideoFaces(_encoder, frame => frame * video.Seconds / Math.Max(1, frames.Count));
        return Gather(video, [frames], faces);
    }

    /// <summary>For each face of a video an answer for every window of consecutive frames, and one for all.</summary>
    /// <param name="video">The video, at the rate of frames that is wanted.</param>
    /// <param name="window">Frames of a window; a video with fewer is one window.</param>
    /// <param name="stride">Frames from the beginning of a window to that of the next.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Nothing can be decoded; or strict, and a part cannot.</exception>
    public IReadOnlyList<VideoFace> Timeline(VideoFile video, int window, int stride, CancellationToken cancellation)
    {
        if (window < 1 || stride < 1)
            throw new SettingsException($"window and stride are at least 1 frame, given were {window} and {stride}");
        _encoder.Cancellation = cancellation;
        var faces = new VideoFaces(_encoder, frame => frame / video.Rate, window, stride);
        return Gather(video, video.Frames(Damage, cancellation).Chunk(FramesAtOnce), faces);
    }

    private IReadOnlyList<VideoFace> Gather(VideoFile video, IEnumerable<IReadOnlyList<RgbImage>> chunks,
        VideoFaces faces)
    {
        var tracker = new FaceTracker(_crop, video.Path);
        foreach (IReadOnlyList<RgbImage> frames in chunks)
        {
            IReadOnlyList<(int Id, Face? Face)>[] found = [.. frames.Select(tracker.Next)];
            RgbImage[] cut = [.. frames.Zip(found).SelectMany(frame => frame.Second.Select(face =>
                _crop.Cut(frame.First, face.Face, video.Path)))];
            ReadOnlySpan<float> features = cut.Length == 0 ? [] : _encoder.Encode(cut);
            foreach (IReadOnlyList<(int Id, Face? Face)> frame in found)
            {
                foreach ((int id, Face? face) in frame)
                {
                    faces.Add(id, face, features[.._encoder.Width]);
                    features = features[_encoder.Width..];
                }
                faces.EndFrame();
            }
        }
        if (tracker.Missing > 0)
            _faceless(string.Create(CultureInfo.InvariantCulture,
                $"{video.Path}: no face was found in {tracker.Missing} of {tracker.Frames} frames"));
        return faces.Answers(_crop.OnlyLargest);
    }

    private void Damage(string text)
    {
        if (_strict)
            throw new InputException(text);
        _damage(text);
    }
}
