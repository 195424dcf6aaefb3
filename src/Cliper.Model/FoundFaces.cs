using Cliper.Model.Faces;
using Cliper.Model.Images;

namespace Cliper.Model;

/// <summary>
/// The faces of an image, cut out for the model of the <see cref="ExpressionRecognizer"/> that found them. The image
/// itself is not held, so that many may wait for the model.
/// </summary>
public sealed class FoundFaces
{
    internal FoundFaces(string name, int width, int height, IReadOnlyList<(int Id, Face? Face)> faces,
        IReadOnlyList<StoredImage> cut) => (Name, Width, Height, Faces, Cut) = (name, width, height, faces, cut);

    /// <summary>The image's name.</summary>
    public string Name { get; }

    /// <summary>Columns of the upright image, in pixels.</summary>
    public int Width { get; }

    /// <summary>Rows of it.</summary>
    public int Height { get; }

    /// <summary>How many faces there are; 1 where none was looked for.</summary>
    public int Count => Cut.Count;

    /// <summary>The faces in pixels of the upright image, with their numbers; null for all of it.</summary>
    internal IReadOnlyList<(int Id, Face? Face)> Faces { get; }

    /// <summary>The model's input of each face.</summary>
    internal IReadOnlyList<StoredImage> Cut { get; }
}
