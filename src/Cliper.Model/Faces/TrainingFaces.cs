using Cliper.Kernels.Operations;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Faces;

/// <summary>The faces that the program's own detector finds in the pictures of a training set.</summary>
/// <param name="Looked">Pictures that were looked at.</param>
/// <param name="Found">Those in which a face was found.</param>
/// <param name="Template">Where the faces lie; null where too few were found, or they lie anywhere.</param>
public sealed record TrainingFaces(int Looked, int Found, FaceTemplate? Template)
{
    /// <summary>Most pictures that are looked at: the mean of so many is known to a twentieth of the spread.</summary>
    public const int MostPictures = 500;

    /// <summary>Pictures after which the search ends if hardly any had a face.</summary>
    private const int FirstPictures = 60;

    /// <summary>The part of the pictures with a face below which the others are not looked at.</summary>
    private const double HardlyAny = 0.2;

    /// <summary>The part of the pictures with a face from which on their places are the training set's.</summary>
    private const double Enough = 0.5;

    /// <summary>
    /// The largest mean spread of the points in pictures that were cut to the face, as a part of the picture: 0.07 in
    /// FER2013, 0.03 in CK+; 0.2 and more where faces stand anywhere.
    /// </summary>
    private const float LargestSpread = 0.13f;

    /// <summary>Which of a face's points is its nose.</summary>
    private const int NosePoint = 2;

    /// <summary>Added on each side of a picture, so that a face that fills it is found too.</summary>
    private const double Border = 0.25;

    /// <summary>
    /// Looks for the largest face of pictures that are spread evenly over the samples, of a clip the middle frame.
    /// Pictures that cannot be read do not count.
    /// </summary>
    /// <param name="samples">The training samples.</param>
    /// <param name="detector">Finds faces and their points.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <param name="boxes">
    /// Another detector, whose boxes are measured, so that faces which it finds are placed as these; null for the
    /// boxes of <paramref name="detector"/>.
    /// </param>
    public static TrainingFaces Find(IReadOnlyList<Sample> samples, IFaceDetector detector,
        CancellationToken cancellation, IFaceDetector? boxes = null)
    {
        int count = Math.Min(MostPictures, samples.Count);
        // The first pictures are spread over all as well: lists are often sorted by class.
        Frame[] frames = [.. Enumerable.Range(0, count)
            .OrderBy(i => i % Math.Max(1, count / FirstPictures))
            .Select(i => samples[(int)((long)i * samples.Count / count)].Frames)
            .Where(clip => clip.Count > 0).Select(clip => clip[clip.Count / 2])];
        List<Sight> found = Look(frames.Take(FirstPictures), detector, boxes, cancellation);
        if (found.Count(sight => sight.Face is not null) >= HardlyAny * found.Count)
            found.AddRange(Look(frames.Skip(FirstPictures), detector, boxes, cancellation));
        FaceInSquare[] faces = [.. found.Select(sight => sight.Face).OfType<FaceInSquare>()];
        FaceTemplate? template = faces.Length > 0 && faces.Length >= Enough * found.Count ? FaceTemplate.Of(faces)
            : null;
        return new TrainingFaces(found.Count, faces.Length,
            template?.Spread.Average() <= LargestSpread && template.IsValid
                ? template with { Look = TrainingLook.Of([.. found.Select(sight => (sight.IsGray, sight.Side))]) }
                : null);
    }

    /// <summary>A sentence for the log.</summary>
    public override string ToString() => FormattableString.Invariant(
        $"a face is found in {Found} of {Looked} training pictures") + (Template is { } template
        ? FormattableString.Invariant($", eyes at ({template.Points[0].X:F2}, {template.Points[0].Y:F2}) and (")
            + FormattableString.Invariant($"{template.Points[1].X:F2}, {template.Points[1].Y:F2}), spread ")
            + FormattableString.Invariant($"{template.Spread.Average():F3}, askew by {template.AngleSpread:F0} degrees")
            + (template.IsAligned ? ": predict turns faces upright and places them so"
                : ": predict places faces so")
            + (template.Look is { IsGray: true } ? ", and takes their color away" : "")
        : Found >= Enough * Looked ? ", at places too different to place others by"
        : ": too few to place others by");

    /// <summary>A readable picture.</summary>
    /// <param name="Face">Its largest face; null where there is none.</param>
    /// <param name="IsGray">Whether it has no color.</param>
    /// <param name="Side">Its shorter side, in pixels.</param>
    private sealed record Sight(FaceInSquare? Face, bool IsGray, int Side);

    private static List<Sight> Look(IEnumerable<Frame> frames, IFaceDetector detector, IFaceDetector? boxes,
        CancellationToken cancellation) =>
        [.. frames.AsParallel().AsOrdered().WithCancellation(cancellation).Select(frame =>
        {
            try
            {
                RgbImage image = frame.Load(ImageCodec.Instance);
                return new Sight(LargestOf(image, detector, boxes), TrainingLook.IsGrayImage(image),
                    Math.Min(image.Width, image.Height));
            }
            catch (InputException)
            {
                return null;
            }
        }).OfType<Sight>()];

    private static FaceInSquare? LargestOf(RgbImage image, IFaceDetector detector, IFaceDetector? boxes)
    {
        int inner = Math.Min(image.Width, image.Height), border = (int)Math.Round(Border * inner);
        // CLIP's transform takes the middle square. Of 250 pictures of FER2013 the detector finds 225 faces in a black
        // border, 220 in a gray one, 206 where the edge's pixels go on.
        var middle = new PixelBox((image.Width - inner) / 2, (image.Height - inner) / 2, inner, inner);
        RgbImage bordered = image.Cut(middle, "picture").WithBorder(border);
        Face? face = detector.Find(bordered).FirstOrDefault(face => face.Points.Count >= FaceTemplate.PointCount);
        if (face is not null && boxes is not null)
            face = boxes.Find(bordered).FirstOrDefault(other => Contains(other.Box, face.Points[NosePoint])) is { } same
                ? face with { Box = same.Box } : null;
        return face is null ? null : new FaceInSquare(face, border, inner);
    }

    private static bool Contains(PixelBox box, FacePoint point) => point.X >= box.X && point.X <= box.X + box.Width
        && point.Y >= box.Y && point.Y <= box.Y + box.Height;
}
