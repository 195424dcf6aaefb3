using Cliper.Kernels.Operations;

namespace Cliper.Model.Data.Faces;

/// <summary>
/// The part of a picture that a model looks at: a face that is looked for, or a box given by hand, either with a margin; all of
/// it where there is neither, which CLIP's transform then takes the centre of.
/// </summary>
public sealed class FaceCrop
{
    /// <summary>
    /// A face that covers this part of a picture is all the picture was made for, cut out already: it is left as it is, as
    /// the training pictures were.
    /// </summary>
    private const double CutOutAlready = 0.3;

    private readonly IFaceDetector? _detector;
    private readonly PixelBox? _box;
    private readonly float _margin;

    private FaceCrop(IFaceDetector? detector, PixelBox? box, float margin) => (_detector, _box, _margin) = (detector, box, margin);

    /// <summary>All of every picture.</summary>
    public static FaceCrop None { get; } = new(null, null, 0);

    /// <summary>The same box of every picture.</summary>
    /// <param name="box">The face, in pixels of the upright picture.</param>
    /// <param name="margin">Added to each side, as a part of the box's size.</param>
    public static FaceCrop Given(PixelBox box, float margin) => new(null, box, margin);

    /// <summary>The largest face that is found in a picture; all of it where none is, or where the face fills it.</summary>
    /// <param name="detector">Finds faces.</param>
    /// <param name="margin">Added to each side of a face, as a part of its size.</param>
    public static FaceCrop Sought(IFaceDetector detector, float margin) => new(detector, null, margin);

    /// <summary>Whether faces are looked for.</summary>
    public bool Seeks => _detector is not null;

    /// <summary>The face of a picture, without the margin; null where there is none.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="before">The face of the frame before it: the one that overlaps it most is taken then, the largest if none does.</param>
    public PixelBox? Find(RgbImage image, PixelBox? before = null)
    {
        if (_detector is null)
            return _box;
        PixelBox[] faces = [.. _detector.Find(image).Select(found => found.Box)];
        return faces.Length == 0 ? null : before is { } last ? faces.MaxBy(face => Overlap(face, last)) : faces[0];
    }

    /// <summary>What a model gets of a picture.</summary>
    /// <param name="image">The picture.</param>
    /// <param name="face">From <see cref="Find"/>.</param>
    /// <param name="name">What to call the picture in an error.</param>
    /// <exception cref="InputException">A given box lies outside of the picture.</exception>
    public RgbImage Cut(RgbImage image, PixelBox? face, string name) =>
        face is not { } box || Seeks && (double)box.Width * box.Height >= CutOutAlready * image.Width * image.Height
            ? image : image.Cut(box.Widened(_margin), name);

    private static long Overlap(PixelBox a, PixelBox b) =>
        (long)Math.Max(0, Math.Min(a.X + a.Width, b.X + b.Width) - Math.Max(a.X, b.X))
        * Math.Max(0, Math.Min(a.Y + a.Height, b.Y + b.Height) - Math.Max(a.Y, b.Y));
}

/// <summary>A picture cut to the face in it.</summary>
/// <param name="inner">The whole picture.</param>
/// <param name="crop">Which part.</param>
/// <param name="found">Told the picture's name and its face, without the margin.</param>
internal sealed class FaceFrame(Frame inner, FaceCrop crop, Action<string, PixelBox?> found) : Frame
{
    /// <inheritdoc/>
    public override string Name => inner.Name;

    /// <inheritdoc/>
    public override string Identity => inner.Identity;

    /// <inheritdoc/>
    public override RgbImage Load(IImageCodec codec)
    {
        RgbImage image = inner.Load(codec);
        PixelBox? face = crop.Find(image);
        found(Name, face);
        return crop.Cut(image, face, Name);
    }
}

/// <summary>The face of a video from frame to frame; where none is found, the box of the frame before it holds.</summary>
/// <param name="crop">Which part of a frame.</param>
/// <param name="name">What to call the video in an error.</param>
internal sealed class FaceTrack(FaceCrop crop, string name)
{
    private PixelBox? _last;

    /// <summary>Frames so far.</summary>
    public int Frames { get; private set; }

    /// <summary>Frames so far in which one was looked for and not found.</summary>
    public int Missing { get; private set; }

    /// <summary>The face of the next frame; null before the first one is found.</summary>
    public PixelBox? Next(RgbImage frame)
    {
        PixelBox? face = crop.Find(frame, _last);
        Frames++;
        if (face is null && crop.Seeks)
            Missing++;
        return _last = face ?? _last;
    }

    /// <summary>What a model gets of the next frame.</summary>
    /// <exception cref="InputException">A given box lies outside of the frame.</exception>
    public RgbImage Cut(RgbImage frame) => crop.Cut(frame, Next(frame), name);
}
