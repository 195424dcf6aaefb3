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
        Dictionary<int, int> times = indices.CountBy(index => index).ToDictionary();
        var faces = new VideoFaces(_encoder, frame => frame * video.Seconds / times.Count);
        return Gather(video.Path, video.Chosen([.. times.Keys.Order()], Damage, cancellation)
            .Select(pair => new Look(pair.Frame, video.Path, times[pair.Index])), faces, _crop.OnlyLargest);
    }

    /// <summary>
    /// The answer for the largest face of a clip, a folder of frames: as many frames as the model was trained on, of
    /// which those without the face do not count.
    /// </summary>
    /// <param name="clip">The clip.</param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">A frame cannot be read.</exception>
    public VideoFace Predict(Sample clip, CancellationToken cancellation)
    {
        int[] indices = FrameSampling.Indices(clip.Frames.Count, _frames, 1, ShortClips.RepeatLast, null);
        IEnumerable<Look> frames = indices.CountBy(index => index).OrderBy(pair => pair.Key).Select(pair =>
        {
            cancellation.ThrowIfCancellationRequested();
            Frame frame = clip.Frames[pair.Key];
            return new Look(frame.Load(ImageCodec.Instance), frame.Name, pair.Value);
        });
        return Gather(clip.Name, frames, new VideoFaces(_encoder, frame => frame), onlyLargest: true)[0];
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
        return Gather(video.Path, video.Frames(Damage, cancellation).Select(frame => new Look(frame, video.Path)),
            faces, _crop.OnlyLargest);
    }

    /// <summary>Finds the faces of frames and encodes them, some frames together.</summary>
    /// <param name="name">Name of the video or clip, for messages.</param>
    /// <param name="all">The frames.</param>
    /// <param name="faces">Gathers the features.</param>
    /// <param name="onlyLargest">Whether the largest face is the only one that counts.</param>
    private IReadOnlyList<VideoFace> Gather(string name, IEnumerable<Look> all, VideoFaces faces, bool onlyLargest)
    {
        var tracker = new FaceTracker(_crop);
        foreach (Look[] frames in ImageGroups.Of(all, look => look.Image))
        {
            IReadOnlyList<(int Id, Face? Face)>[] found =
                [.. frames.Select(frame => tracker.Next(frame.Image, frame.Name))];
            RgbImage[] cut = [.. frames.Zip(found).SelectMany(frame => frame.Second.Select(face =>
                _crop.Cut(frame.First.Image, face.Face, frame.First.Name)))];
            ReadOnlySpan<float> features = cut.Length == 0 ? [] : _encoder.Encode(cut);
            for (int frame = 0; frame < frames.Length; frame++)
            {
                foreach ((int id, Face? face) in found[frame])
                {
                    faces.Add(id, face, features[.._encoder.Width], frames[frame].Times);
                    features = features[_encoder.Width..];
                }
                faces.EndFrame();
            }
        }
        if (tracker.Frames == 0)
            throw new InputException($"{name}: none of the frames could be decoded; replace the file");
        if (tracker.Missing > 0)
            _faceless(string.Create(CultureInfo.InvariantCulture,
                $"{name}: no face was found in {tracker.Missing} of {tracker.Frames} frames"));
        return faces.Answers(onlyLargest);
    }

    /// <summary>A frame that the model looks at.</summary>
    /// <param name="Image">The frame.</param>
    /// <param name="Name">Its name in a table of faces.</param>
    /// <param name="Times">How often it counts.</param>
    private readonly record struct Look(RgbImage Image, string Name, int Times = 1);

    private void Damage(string text)
    {
        if (_strict)
            throw new InputException(text);
        _damage(text);
    }
}
