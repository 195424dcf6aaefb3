using Cliper.Kernels.Operations;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>A model's answer for a face in a stretch of a video.</summary>
/// <param name="Start">Its beginning, in seconds.</param>
/// <param name="End">Its end, in seconds.</param>
/// <param name="Prediction">The answer, from the mean of the features of the frames with the face; null where no frame
/// has it.</param>
/// <param name="Box">Mean of the face's boxes; null where no frame has it or all of a frame is looked at.</param>
/// <param name="FaceShare">Frames with this face over frames.</param>
public sealed record TimelineRow(double Start, double End, Prediction? Prediction, PixelBox? Box = null,
    double FaceShare = 1);

/// <summary>A place where a face was seen.</summary>
/// <param name="Time">Middle of the frame, in seconds.</param>
/// <param name="Box">The face.</param>
public readonly record struct SeenFace(double Time, PixelBox Box);

/// <summary>A model's answers for one face of a video.</summary>
/// <param name="Prediction">The answer for all of the video; null where there is no face.</param>
/// <param name="FaceShare">Frames with this face over frames.</param>
/// <param name="Windows">Answers for stretches, by rising time; empty for one answer.</param>
/// <param name="Seen">Where it was, by rising time; empty where all of a frame is looked at.</param>
public sealed record VideoFace(Prediction? Prediction, double FaceShare, IReadOnlyList<TimelineRow> Windows,
    IReadOnlyList<SeenFace> Seen);
