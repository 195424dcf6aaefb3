using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>A place in a picture.</summary>
/// <param name="X">Pixels from the left edge.</param>
/// <param name="Y">Pixels from the upper edge.</param>
public readonly record struct FacePoint(float X, float Y);

/// <summary>A face that was found in a picture.</summary>
/// <param name="Box">Where it is, in pixels; a face at the edge may reach beyond the picture.</param>
/// <param name="Score">How sure the detector is, up to 1; a detector that gives no number says 1.</param>
/// <param name="Points">
/// Right eye, left eye, nose, mouth, right ear, left ear, right and left as the person's own; empty where the detector
/// finds boxes alone.
/// </param>
public sealed record Face(PixelBox Box, float Score, IReadOnlyList<FacePoint> Points)
{
    /// <summary>The face in another size of the picture.</summary>
    /// <param name="scale">Pixels there to one here.</param>
    internal Face Scaled(double scale) => scale == 1 ? this : new(Box.Scaled(scale), Score,
        [.. Points.Select(point => new FacePoint((float)(point.X * scale), (float)(point.Y * scale)))]);
}
