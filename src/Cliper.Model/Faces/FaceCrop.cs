using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Faces;

/// <summary>
/// The parts of a picture that a model looks at: faces that are looked for, boxes of a table, or a box given by hand,
/// each placed as the model's training pictures show
/// theirs; all of it where there is none of these, which CLIP's transform then takes the center of.
/// </summary>
public sealed class FaceCrop
{
    private readonly IFaceDetector? _detector;
    private readonly FaceTable? _table;
    private readonly PixelBox? _box;
    private readonly FaceFraming _framing;
    private readonly bool _onlyLargest;

    private FaceCrop(IFaceDetector? detector, FaceTable? table, PixelBox? box, FaceFraming framing, bool onlyLargest) =>
        (_detector, _table, _box, _framing, _onlyLargest) = (detector, table, box, framing, onlyLargest);

    /// <summary>All of every picture.</summary>
    public static FaceCrop None { get; } = new(null, null, null, new FaceFraming(null), false);

    /// <summary>The same box of every picture.</summary>
    /// <param name="box">The face, in pixels of the upright picture.</param>
    /// <param name="framing">How much is cut out with it.</param>
    public static FaceCrop Given(PixelBox box, FaceFraming framing) => new(null, null, box, framing, false);

    /// <summary>The boxes that a table has of each picture.</summary>
    /// <param name="table">The table.</param>
    /// <param name="framing">How much is cut out with each.</param>
    public static FaceCrop Listed(FaceTable table, FaceFraming framing) => new(null, table, null, framing, false);

    /// <summary>The faces that are found in a picture.</summary>
    /// <param name="detector">Finds faces.</param>
    /// <param name="framing">How much is cut out with each.</param>
    /// <param name="onlyLargest">Whether the largest face is the only one that counts.</param>
    public static FaceCrop Sought(IFaceDetector detector, FaceFraming framing, bool onlyLargest = false) =>
        new(detector, null, null, framing, onlyLargest);

    /// <summary>The same parts of a picture: all of them, or the largest alone.</summary>
    /// <param name="onlyLargest">Whether the largest face is the only one that counts.</param>
    internal FaceCrop With(bool onlyLargest) => new(_detector, _table, _box, _framing, onlyLargest);

    /// <summary>Whether a picture may have no face.</summary>
    public bool Seeks => _detector is not null || _table is not null;

    /// <summary>Whether the largest face is the only one that counts.</summary>
    internal bool OnlyLargest => _onlyLargest;

    /// <summary>
    /// The faces of a picture, in the pixels of its image, the largest first; null where all of the picture is looked
    /// at.
    /// </summary>
    /// <param name="image">The picture.</param>
    /// <param name="file">The name that it has in a table.</param>
    public IReadOnlyList<Face>? Faces(RgbImage image, string file)
    {
        IReadOnlyList<Face>? faces = AllFaces(image, file);
        return _onlyLargest ? faces?.Take(1).ToArray() : faces;
    }

    /// <summary>The faces of a picture, those that do not count among them.</summary>
    internal IReadOnlyList<Face>? AllFaces(RgbImage image, string file) =>
        _box is { } given ? [new Face(image.FromOriginal(given), 1, [])]
        : _table is null ? _detector?.Find(image)
        : [.. _table.Of(file).Select(face => face.Scaled(1 / image.Reduction))];

    /// <summary>The largest face of a picture; null where there is none.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="file">The name of the picture in a table.</param>
    public Face? Find(RgbImage image, string file = "") => Faces(image, file) is { Count: > 0 } faces ? faces[0] : null;

    /// <summary>The pixels that a model gets of a picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="face">From <see cref="Find"/>.</param>
    /// <param name="name">The name to call the picture in an error.</param>
    /// <exception cref="InputException">A given box lies outside of the picture.</exception>
    public RgbImage Cut(RgbImage image, Face? face, string name) =>
        face is null || IsCutOut(face, image.Width, image.Height) ? image : _framing.Cut(image, face, name);

    // Boxes that were given are cut out whatever their size.
    private bool IsCutOut(Face face, int width, int height) =>
        _detector is not null && _framing.IsCutOut(face, width, height);
}

/// <summary>A picture cut to the face in it.</summary>
/// <param name="inner">The whole picture.</param>
/// <param name="crop">Which part.</param>
/// <param name="found">Told the picture's name and its face.</param>
internal sealed class FaceFrame(Frame inner, FaceCrop crop, Action<string, Face?> found) : Frame
{
    /// <inheritdoc/>
    public override string Name => inner.Name;

    /// <inheritdoc/>
    public override string Identity => inner.Identity;

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        RgbImage image = inner.Load(codec);
        Face? face = crop.Find(image, Name);
        found(Name, face);
        return crop.Cut(image, face, Name);
    }
}
