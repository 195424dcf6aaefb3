using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Inference;

namespace Cliper.Model;

/// <summary>The answer for an image, or for a frame of a video.</summary>
/// <param name="Name">The file, or the name that the caller gave.</param>
/// <param name="Width">Columns of the upright image, in pixels; 0 where it could not be read.</param>
/// <param name="Height">Rows of it.</param>
/// <param name="Faces">The faces, the largest first; of a video in the order of their appearance.</param>
public sealed record Recognition(string Name, int Width, int Height, IReadOnlyList<RecognizedFace> Faces)
{
    /// <summary>The expression of an answer below <see cref="RecognizerOptions.MinProbability"/>.</summary>
    public const string Uncertain = ExpressionNames.Uncertain;

    /// <summary>When a video shows the frame, from its beginning; null of an image.</summary>
    public TimeSpan? Time { get; init; }

    /// <summary>Why there is no answer, where a file of several cannot be read; else null.</summary>
    public string? Problem { get; init; }
}

/// <summary>A face and its expression.</summary>
/// <param name="Id">Its number, from 0; of a video the same from frame to frame.</param>
/// <param name="Box">Where it is, in pixels of the upright image; null where none was looked for.</param>
/// <param name="Score">How sure the detector is, from 0 to 1.</param>
/// <param name="Points">Right eye, left eye, nose, mouth, right ear, left ear; empty where the detector gives
/// none.</param>
/// <param name="Expression">The most probable class, or <see cref="Recognition.Uncertain"/>.</param>
/// <param name="Probability">Probability of the most probable class.</param>
/// <param name="Probabilities">Probability of each class by its name; they sum to 1.</param>
/// <param name="Descriptor">Index of the nearest descriptor of that class, from 0.</param>
public sealed record RecognizedFace(int Id, PixelBox? Box, float Score, IReadOnlyList<FacePoint> Points,
    string Expression, float Probability, IReadOnlyDictionary<string, float> Probabilities, int Descriptor);

/// <summary>The model that answers.</summary>
/// <param name="Name">Name of a shipped model, else of the file or folder.</param>
/// <param name="Path">Its file.</param>
/// <param name="Method">How it was trained, such as <c>cliper</c>.</param>
/// <param name="Classes">Names of its classes.</param>
/// <param name="Notes">Facts that a reader of its answers should know, such as the terms of its training data.</param>
public sealed record RecognizerModel(string Name, string Path, string Method, IReadOnlyList<string> Classes,
    IReadOnlyList<string> Notes);
