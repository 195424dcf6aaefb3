using Cliper.Model.Images;

namespace Cliper.Model.SyntheticFaces;

/// <summary>Pictures of drawn faces.</summary>
public static class FaceDrawing
{
    /// <summary>Draws one face. For many, a <see cref="FacePainter"/> saves making a canvas each time.</summary>
    /// <param name="face">What to draw.</param>
    /// <param name="size">Edge in pixels, at least 16.</param>
    /// <param name="style">How to draw it.</param>
    public static RgbImage Draw(FaceParameters face, int size, DrawingStyle style = DrawingStyle.Paint)
    {
        using var painter = new FacePainter(size);
        byte[] pixels = new byte[size * size * 3];
        painter.Paint(face, pixels);
        var painting = new RgbImage(size, size, pixels);
        return style == DrawingStyle.Pencil ? PencilSketch.Of(painting) : painting;
    }
}
