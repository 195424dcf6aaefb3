using System.Globalization;
using System.Numerics.Tensors;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model.Inference;

/// <summary>A model's answer for a stretch of a video.</summary>
/// <param name="Start">Its beginning, in seconds.</param>
/// <param name="End">Its end, in seconds.</param>
/// <param name="Prediction">The answer, from the mean of the features of all its frames.</param>
public sealed record TimelineRow(double Start, double End, Prediction Prediction);

/// <summary>A model on videos: one answer for all, or one for every window of frames. Memory does not grow with the
/// length.</summary>
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
    /// One answer for a video: as many frames as the model was trained on (16 for a model of images), the middle of
    /// each of as many equal stretches.
    /// </summary>
    /// <exception cref="InputException">Nothing can be decoded; or strict, and a part cannot.</exception>
    public Prediction Predict(VideoFile video, CancellationToken cancellation)
    {
        int[] indices = FrameSampling.Indices(video.FrameCount, _frames, 1, ShortClips.RepeatLast, null);
        IReadOnlyList<RgbImage> frames = video.Take(indices, Damage, cancellation);
        var track = new FaceTrack(_crop, video.Path);
        float[] features = _encoder.Encode([.. frames.Select(track.Cut)]);
        Say(video, track);
        return _encoder.Classify(Mean(features));
    }

    /// <summary>An answer for every window of consecutive frames, and at the end one for all of them.</summary>
    /// <param name="video">The video, at the rate of frames that is wanted.</param>
    /// <param name="window">Frames of a window; a video with fewer is one window.</param>
    /// <param name="stride">Frames from the beginning of a window to that of the next.</param>
    /// <param name="whole">Given the answer for the mean over all frames.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Nothing can be decoded; or strict, and a part cannot.</exception>
    public IEnumerable<TimelineRow> Timeline(VideoFile video, int window, int stride, Action<Prediction> whole,
        CancellationToken cancellation)
    {
        if (window < 1 || stride < 1)
            throw new SettingsException($"window and stride are at least 1 frame, given were {window} and {stride}");
        return Rows(video, window, stride, whole, cancellation);
    }

    private IEnumerable<TimelineRow> Rows(VideoFile video, int window, int stride, Action<Prediction> whole,
        CancellationToken cancellation)
    {
        int width = _encoder.Width, seen = 0;
        var recent = new float[window * width];
        var sum = new double[width];
        var track = new FaceTrack(_crop, video.Path);
        foreach (RgbImage[] frames in video.Frames(Damage, cancellation).Chunk(FramesAtOnce))
        {
            float[] features = _encoder.Encode([.. frames.Select(track.Cut)]);
            for (int i = 0; i < frames.Length; i++)
            {
                ReadOnlySpan<float> feature = features.AsSpan(i * width, width);
                feature.CopyTo(recent.AsSpan(seen % window * width));
                for (int d = 0; d < width; d++)
                    sum[d] += feature[d];
                seen++;
                if (seen >= window && (seen - window) % stride == 0)
                    yield return Row(seen - window, recent);
            }
        }
        if (seen < window)
            yield return Row(0, recent.AsSpan(0, seen * width).ToArray());
        Say(video, track);
        whole(_encoder.Classify([.. sum.Select(value => (float)(value / seen))]));

        TimelineRow Row(int first, float[] features) =>
            new(first / video.Rate, seen / video.Rate, _encoder.Classify(Mean(features)));
    }

    private void Say(VideoFile video, FaceTrack track)
    {
        if (track.Missing > 0)
            _faceless(string.Create(CultureInfo.InvariantCulture,
                $"{video.Path}: no face was found in {track.Missing} of {track.Frames} frames; ")
                + "the one of the frame before them holds there, and before the first the center");
    }

    private float[] Mean(float[] features)
    {
        int width = _encoder.Width, count = features.Length / width;
        var mean = new float[width];
        for (int i = 0; i < count; i++)
            TensorPrimitives.Add(mean, features.AsSpan(i * width, width), mean);
        TensorPrimitives.Divide(mean, count, mean);
        return mean;
    }

    private void Damage(string text)
    {
        if (_strict)
            throw new InputException(text);
        _damage(text);
    }
}
