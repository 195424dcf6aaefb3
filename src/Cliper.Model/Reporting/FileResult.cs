using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.Prompts;

namespace Cliper.Model.Reporting;

/// <summary>A model's answer for one file.</summary>
/// <param name="File">Its path, as it was given.</param>
/// <param name="Faces">Its faces in their order; one without a box where all of the file was looked at.</param>
public sealed record FileResult(string File, IReadOnlyList<FaceResult> Faces)
{
    /// <summary>Columns and rows of a picture; null for a clip or a video.</summary>
    public (int Width, int Height)? Size { get; init; }

    /// <summary>Frames of a clip or video; null for a picture.</summary>
    public int? Frames { get; init; }

    /// <summary>Frames a second of a video; null for others.</summary>
    public double? Rate { get; init; }
}

/// <summary>A model's answer for one face.</summary>
/// <param name="Face">Where it is; null for a video, and where all of the file was looked at.</param>
/// <param name="Prediction">The answer; null for a video without a face.</param>
/// <param name="Video">More on a face of a video; null for others.</param>
public sealed record FaceResult(Face? Face, Prediction? Prediction, VideoFace? Video = null)
{
    /// <summary>Answers for stretches of a video; null for one answer.</summary>
    public IReadOnlyList<TimelineRow>? Windows => Video is { Windows.Count: > 0 } ? Video.Windows : null;
}
