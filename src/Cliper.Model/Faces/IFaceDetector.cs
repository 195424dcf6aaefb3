using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>Finds faces in pictures. May be used on several threads at once.</summary>
public interface IFaceDetector
{
    /// <summary>The faces in a picture, the largest first; none where none is found.</summary>
    IReadOnlyList<Face> Find(RgbImage image);
}
