using System.Numerics;
using System.Text.Json.Serialization;
using Cliper.Kernels.Operations;

namespace Cliper.Model.Faces;

/// <summary>
/// Where the pictures that a model has learned from show their faces, measured with <see cref="BlazeFace"/>. Places are
/// parts of the square that CLIP's transform takes of a picture: (0, 0) is its upper left corner, (1, 1) its lower
/// right.
/// </summary>
/// <param name="Points">Mean place of the right eye, left eye, nose and mouth.</param>
/// <param name="Spread">Standard deviation of the place of each of them, over both axes.</param>
/// <param name="Center">Mean place of the box's center.</param>
/// <param name="Side">Mean side of the box: the root of its area.</param>
/// <param name="Angle">Median angle of the line through the eyes in degrees; above 0 the left eye is lower.</param>
/// <param name="AngleSpread">
/// Half the range from the 16th to the 84th percentile of that angle, in degrees: the standard deviation where angles
/// are normally distributed, and untouched by a few wrong faces.
/// </param>
public sealed record FaceTemplate(IReadOnlyList<FacePoint> Points, IReadOnlyList<float> Spread, FacePoint Center,
    float Side, float Angle, float AngleSpread)
{
    /// <summary>Points of a face that a template has.</summary>
    public const int PointCount = 4;

    /// <summary>
    /// Largest spread of the angle in a set whose pictures were turned upright, in degrees: it was 2 to 3 in CK+ cut by
    /// landmarks, which is the detector's own, and 9 in FER2013, which is not turned.
    /// </summary>
    public const float LargestSpreadOfAligned = 6;

    /// <summary>
    /// How many spreads the angle of a face may lie from the training set's before it is turned all the same: hardly a
    /// training picture was held so far askew.
    /// </summary>
    private const float UsualSpreads = 2;

    /// <summary>
    /// A face with some hair and chin, for models of which nobody measured the pictures, such as CLIPs of the web.
    /// </summary>
    public static FaceTemplate Usual { get; } = new(
        [new(0.37f, 0.43f), new(0.63f, 0.43f), new(0.5f, 0.58f), new(0.5f, 0.70f)], [0.07f, 0.07f, 0.07f, 0.07f],
        new(0.5f, 0.53f), 0.52f, 0, 10);

    /// <summary>How the training pictures looked; null where nobody measured it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public TrainingLook? Look { get; init; }

    /// <summary>Whether the training pictures were turned upright by landmarks.</summary>
    [JsonIgnore]
    public bool IsAligned => AngleSpread <= LargestSpreadOfAligned;

    /// <summary>Whether the numbers can be those of a measurement.</summary>
    [JsonIgnore]
    public bool IsValid => Points?.Count == PointCount && Spread?.Count == PointCount && Side > 0
        && float.IsFinite(Side) && Look is not { Side: < 0 } && float.IsFinite(Angle) && float.IsFinite(AngleSpread)
        && Points.Append(Center).All(point => float.IsFinite(point.X) && float.IsFinite(point.Y))
        && Variance([.. Points.Select(ToComplex)]) > 0;

    /// <summary>The template of measured faces, of which there is at least one.</summary>
    internal static FaceTemplate Of(IReadOnlyList<FaceInSquare> faces)
    {
        Complex[][] points = [.. Enumerable.Range(0, PointCount).Select(point =>
            faces.Select(face => face.Point(point)).ToArray())];
        double[] angles = [.. faces.Select(face => (face.Point(1) - face.Point(0)).Phase * 180 / Math.PI).Order()];
        return new FaceTemplate([.. points.Select(places => ToPoint(Mean(places)))],
            [.. points.Select(places => (float)Math.Sqrt(Variance(places) / (2 * places.Length)))],
            ToPoint(Mean([.. faces.Select(face => face.Center)])), (float)faces.Average(face => face.Side),
            (float)Percentile(0.5), (float)(Percentile(0.84) - Percentile(0.16)) / 2);

        double Percentile(double share) => angles[(int)Math.Round(share * (angles.Length - 1))];
    }

    /// <summary>
    /// The square of a picture in which a face lies as in the template: the least-squares similarity transform of its
    /// points to the template's (Umeyama 1991; in the plane, with complex numbers, the slope of a linear regression).
    /// It turns the face where the training pictures were aligned, and where the face is held farther askew than theirs
    /// were; else it moves and scales alone. A face without points is placed by its box.
    /// </summary>
    /// <param name="face">The face, in pixels of the picture.</param>
    internal FaceSquare Place(Face face)
    {
        Complex[] target = [.. Points.Select(ToComplex)];
        Complex[] source = face.Points.Count < PointCount ? [] : [.. face.Points.Take(PointCount).Select(ToComplex)];
        Complex from, to, slope;
        if (source.Length > 0 && Variance(source) > 0)
        {
            (from, to) = (Mean(source), Mean(target));
            slope = source.Zip(target, (p, q) => Complex.Conjugate(p - from) * (q - to)).Aggregate(Complex.Add)
                / Variance(source);
            if (!IsTurned(source[1] - source[0]))
                slope = slope.Magnitude;
        }
        else
        {
            PixelBox box = face.Box;
            (from, to) = (new Complex(box.X + box.Width / 2.0, box.Y + box.Height / 2.0), ToComplex(Center));
            slope = Side / Math.Sqrt((double)box.Width * box.Height);
        }
        return Square(face, from, to, slope);
    }

    // The square's own middle is kept, so that a side of whole pixels moves nothing.
    private static FaceSquare Square(Face face, Complex from, Complex to, Complex slope)
    {
        // Points that fit the template backwards give no size: the box bounds what they say.
        double largest = 16.0 * Math.Max(face.Box.Width, face.Box.Height);
        int side = (int)Math.Clamp(Math.Round(1 / slope.Magnitude), 1, largest);
        Complex step = slope.Magnitude > 0 ? Complex.Conjugate(slope) / slope.Magnitude : 1;
        // Points count from a picture's edge, pixels from the center of the first one.
        var half = new Complex(0.5, 0.5);
        Complex middle = from + (half - to) * step * side, corner = middle - half * (side - 1) * step - half;
        // Without a turn whole pixels are taken, which leaves them as they are.
        return new FaceSquare(step == Complex.One
            ? new Complex(Math.Round(corner.Real), Math.Round(corner.Imaginary)) : corner, step, side);
    }

    private bool IsTurned(Complex eyes)
    {
        double off = Math.Abs(Math.IEEERemainder(eyes.Phase * 180 / Math.PI - Angle, 360));
        return IsAligned || off > UsualSpreads * AngleSpread;
    }

    private static Complex ToComplex(FacePoint point) => new(point.X, point.Y);

    private static FacePoint ToPoint(Complex place) => new((float)place.Real, (float)place.Imaginary);

    private static Complex Mean(Complex[] points) => points.Aggregate(Complex.Add) / points.Length;

    private static double Variance(Complex[] points)
    {
        Complex mean = Mean(points);
        return points.Sum(point => (point - mean).Real * (point - mean).Real
            + (point - mean).Imaginary * (point - mean).Imaginary);
    }
}

/// <summary>A face in a square with a border around it.</summary>
/// <param name="Face">The face, in pixels from the border's upper left corner.</param>
/// <param name="Border">Width of the border.</param>
/// <param name="Inner">Side of the square within it.</param>
internal sealed record FaceInSquare(Face Face, int Border, int Inner)
{
    /// <summary>Middle of the box, as a part of the inner square.</summary>
    public Complex Center => Part(Face.Box.X + Face.Box.Width / 2.0, Face.Box.Y + Face.Box.Height / 2.0);

    /// <summary>Root of the box's area, as a part of the inner square's side.</summary>
    public double Side => Math.Sqrt((double)Face.Box.Width * Face.Box.Height) / Inner;

    /// <summary>One of the face's points, as a part of the inner square.</summary>
    public Complex Point(int index) => Part(Face.Points[index].X, Face.Points[index].Y);

    private Complex Part(double x, double y) => new((x - Border) / Inner, (y - Border) / Inner);
}
