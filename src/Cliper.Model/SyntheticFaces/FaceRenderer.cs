using Cliper.Kernels.Operations;
using SkiaSharp;

namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// Renders synthetic faces, one after the other, on one canvas. Coordinates of a face: the origin between the eyes and
/// the mouth, x to the right of the image, y down, about 1 from the center to the crown; points lie on a rounded relief
/// (z towards the viewer), so that turning the head shifts the nose further than the ears. Not thread-safe; one
/// renderer a thread.
/// </summary>
internal sealed partial class FaceRenderer : IDisposable
{
    /// <summary>Smallest image, in pixels.</summary>
    public const int SmallestSize = 16;

    /// <summary>Depth of the face at its middle, in the unit of the coordinates.</summary>
    private const float Relief = 0.5f;

    private readonly int _size;
    private readonly SKBitmap _bitmap;
    private readonly SKCanvas _canvas;
    private readonly SKPaint _fill = new() { IsAntialias = true };
    private readonly SKPaint _stroke = new()
    {
        IsAntialias = true,
        Style = SKPaintStyle.Stroke,
        StrokeCap = SKStrokeCap.Round,
        StrokeJoin = SKStrokeJoin.Round,
    };
    private readonly SKPathBuilder _path = new();

    private FaceParameters _face = null!;
    private FaceRandom _details;
    private Palette _colors;
    private float _sinYaw;
    private float _cosYaw;
    private float _sinPitch;
    private float _cosPitch;
    private float _hairline;
    private float _browY;
    private float _eyeY;
    private float _noseY;
    private float _mouthY;
    private float _chinY;
    private float _halfWidth;

    /// <summary>
    /// Share of the relief that the next points have: 1 on the face, 0 on the outline, below 0 behind it.
    /// </summary>
    private float _depth;

    private readonly record struct Palette(
        SKColor Skin, SKColor Shade, SKColor Line, SKColor Hair, SKColor Brow, SKColor Lip, SKColor Iris,
        SKColor Clothes,
        SKColor Background, SKColor BackgroundEdge);

    /// <summary>A renderer of square images.</summary>
    /// <param name="size">Edge in pixels, at least <see cref="SmallestSize"/>.</param>
    public FaceRenderer(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, SmallestSize);
        _size = size;
        _bitmap = new SKBitmap(new SKImageInfo(size, size, SKColorType.Rgba8888, SKAlphaType.Opaque));
        _canvas = new SKCanvas(_bitmap);
    }

    /// <summary>Renders a face.</summary>
    /// <param name="face">The face.</param>
    /// <param name="pixels">Receives the image: size x size x 3 bytes, red, green, blue, rows from the top.</param>
    public void Render(FaceParameters face, Span<byte> pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(pixels.Length, _size * _size * 3);
        _face = face;
        _details = new FaceRandom(face.Details, RandomPurpose.Drawing, 1, 0);
        _colors = MixColors();
        PlaceFeatures();
        RenderBackground();
        _canvas.Save();
        Frame();
        RenderHairBehind();
        RenderBody();
        RenderHead();
        RenderWrinkles();
        RenderNose();
        RenderBeard();
        RenderMouth();
        RenderEye(-1);
        RenderEye(1);
        RenderHairInFront();
        RenderBrow(-1);
        RenderBrow(1);
        RenderGlasses();
        _canvas.Restore();
        Develop(pixels);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _path.Dispose();
        _stroke.Dispose();
        _fill.Dispose();
        _canvas.Dispose();
        _bitmap.Dispose();
    }

    private void PlaceFeatures()
    {
        bool child = _face.Age == FaceAge.Child;
        (_sinYaw, _cosYaw) = MathF.SinCos(_face.Yaw);
        (_sinPitch, _cosPitch) = MathF.SinCos(_face.Pitch);
        _hairline = child ? -0.5f : _face.Age == FaceAge.Old ? -0.6f : -0.54f;
        _browY = child ? -0.19f : -0.28f;
        _eyeY = child ? 0.02f : -0.07f;
        _noseY = child ? 0.24f : 0.23f;
        _mouthY = child ? 0.47f : 0.49f;
        _chinY = (child ? 0.76f : 0.86f) + (0.07f * Math.Max(0, _face.Units.MouthOpen));
        _halfWidth = (child ? 0.68f : _face.Build == FaceBuild.Male ? 0.65f : 0.61f) * _face.HeadWidth;
    }

    /// <summary>Puts the face's coordinates onto the image: scale, place, tilt.</summary>
    private void Frame()
    {
        float half = _size / 2f;
        _canvas.Translate(half * (1 + _face.ShiftX), half * (1 + _face.ShiftY));
        _canvas.RotateRadians(_face.Roll);
        _canvas.Scale(half * _face.Scale);
    }

    /// <summary>Position at which a point of the relief appears.</summary>
    private SKPoint At(float x, float y)
    {
        float roundness = 1 - (x * x * 1.7f) - (y * y * 0.8f);
        float z = _depth > 0 ? Relief * _depth * MathF.Sqrt(Math.Max(0, roundness)) : Relief * _depth;
        return new SKPoint((x * _cosYaw) + (z * _sinYaw), (y * _cosPitch) + (z * _sinPitch));
    }

    private void Move(float x, float y) => _path.MoveTo(At(x, y));

    private void Line(float x, float y) => _path.LineTo(At(x, y));

    private void Quad(float cx, float cy, float x, float y) => _path.QuadTo(At(cx, cy), At(x, y));

    private void Cubic(float ax, float ay, float bx, float by, float x, float y) =>
        _path.CubicTo(At(ax, ay), At(bx, by), At(x, y));

    private void Fill(SKColor color)
    {
        using SKPath path = _path.Detach();
        _fill.Color = color;
        _canvas.DrawPath(path, _fill);
    }

    /// <summary>
    /// Strokes the path; a line never gets thinner than about three quarters of a pixel, or it would vanish.
    /// </summary>
    private void Stroke(SKColor color, float width)
    {
        using SKPath path = _path.Detach();
        _stroke.Color = color;
        _stroke.StrokeWidth = Math.Max(width, 1.5f / (_size * _face.Scale));
        _canvas.DrawPath(path, _stroke);
    }

    /// <summary>Ends the path and limits what follows to its inside, until Restore.</summary>
    private void SaveAndClip()
    {
        using SKPath path = _path.Detach();
        _canvas.Save();
        _canvas.ClipPath(path, SKClipOperation.Intersect, antialias: true);
    }

    private void Ellipse(float x, float y, float halfWidth, float halfHeight, SKColor color)
    {
        _fill.Color = color;
        _canvas.DrawOval(At(x, y), new SKSize(halfWidth, halfHeight), _fill);
    }

    private static SKColor Mix(SKColor a, SKColor b, float share) => new(
        (byte)(a.Red + ((b.Red - a.Red) * share)), (byte)(a.Green + ((b.Green - a.Green) * share)),
        (byte)(a.Blue + ((b.Blue - a.Blue) * share)));

    private static SKColor Fade(SKColor color, float opacity) =>
        color.WithAlpha((byte)(255 * Math.Clamp(opacity, 0, 1)));
}
