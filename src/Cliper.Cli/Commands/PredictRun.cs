using Cliper.Model;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Cli.Commands;

/// <summary>Answers for files of each kind, and what could not be answered.</summary>
/// <param name="terminal">Told of damage, and of videos whose frames have no face.</param>
/// <param name="predictor">The model.</param>
/// <param name="crop">Which parts of a picture are faces.</param>
/// <param name="strict">Whether an unreadable file is an error.</param>
/// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
internal sealed class PredictRun(Terminal terminal, Predictor predictor, FaceCrop crop, bool strict,
    CancellationToken cancellation)
{
    private readonly Dictionary<string, string> _skipped = [];
    private readonly List<string> _warnings = [];

    /// <summary>Files without an answer, and why.</summary>
    public IReadOnlyDictionary<string, string> Skipped => _skipped;

    /// <summary>Warnings that were given on the way.</summary>
    public IReadOnlyList<string> Warnings => _warnings;

    /// <summary>Answers for the faces of pictures; a picture without a face is among the skipped.</summary>
    public IEnumerable<FileResult> Pictures(IReadOnlyList<Sample> pictures)
    {
        foreach (StillAnswer answer in predictor.Predict(pictures, crop, strict,
            (name, reason) => _skipped[name] = reason, cancellation))
        {
            if (answer.Predictions.Count == 0)
                _skipped[answer.File] = PredictionDocument.NoFace;
            else
                yield return new FileResult(answer.File, [.. answer.Predictions.Select((prediction, id) =>
                    new FaceResult(answer.Faces?[id], prediction))])
                { Size = (answer.Width, answer.Height) };
        }
    }

    /// <summary>An answer for each clip, a folder of frames: for its largest face, or for the centers of its
    /// frames.</summary>
    public IEnumerable<FileResult> Clips(IReadOnlyList<Sample> clips) => crop.Seeks ? ClipFaces(clips)
        : ClipCenters(clips);

    private IEnumerable<FileResult> ClipFaces(IReadOnlyList<Sample> clips)
    {
        VideoPredictor model = ForVideo();
        return Answers(clips, clip => clip.Name, clip => [model.Predict(clip, cancellation)],
            (clip, faces) => Result(clip.Name, faces) with { Frames = clip.Frames.Count });
    }

    private IEnumerable<FileResult> ClipCenters(IReadOnlyList<Sample> clips)
    {
        IReadOnlyList<Sample> cut = ImageFiles.Cut(clips, crop, (_, _) => { });
        Dictionary<string, int> counts = clips.ToDictionary(clip => clip.Name, clip => clip.Frames.Count);
        foreach (FilePrediction answer in predictor.PredictClips(cut, strict,
            (name, reason) => _skipped[name] = reason, cancellation))
            yield return new FileResult(answer.File, [new FaceResult(null, answer.Prediction)])
            {
                Frames = counts[answer.File],
            };
    }

    /// <summary>An answer for each face of each video; one that cannot be decoded is left out unless that is an
    /// error.</summary>
    public IEnumerable<FileResult> Videos(IEnumerable<VideoFile> videos)
    {
        VideoPredictor model = ForVideo();
        return Answers(videos, video => video.Path, video => model.Predict(video, cancellation), Result);
    }

    /// <summary>An answer for each face of each video and for its windows.</summary>
    public IEnumerable<FileResult> Timelines(IEnumerable<VideoFile> videos, int window, int stride)
    {
        VideoPredictor model = ForVideo();
        return Answers(videos, video => video.Path, video => model.Timeline(video, window, stride, cancellation),
            Result);
    }

    private IEnumerable<FileResult> Answers<T>(IEnumerable<T> inputs, Func<T, string> nameOf,
        Func<T, IReadOnlyList<VideoFace>> answer, Func<T, IReadOnlyList<VideoFace>, FileResult> result)
    {
        foreach (T input in inputs)
        {
            IReadOnlyList<VideoFace> faces;
            try
            {
                faces = answer(input);
            }
            catch (InputException failure) when (!strict)
            {
                _skipped[nameOf(input)] = failure.Message;
                continue;
            }
            yield return result(input, faces);
        }
    }

    private static FileResult Result(VideoFile video, IReadOnlyList<VideoFace> faces) =>
        Result(video.Path, faces) with { Frames = video.FrameCount, Rate = video.Rate };

    private static FileResult Result(string name, IReadOnlyList<VideoFace> faces) =>
        new(name, [.. faces.Select(face => new FaceResult(null, face.Prediction, face))]);

    private VideoPredictor ForVideo() => predictor.ForVideo(crop, strict, Say, text => Say($"warning: {text}"));

    /// <summary>Says a line that belongs among the warnings of the answers.</summary>
    public void Say(string text)
    {
        _warnings.Add(text);
        terminal.Say(text);
    }
}
