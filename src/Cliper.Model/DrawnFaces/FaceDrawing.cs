namespace Cliper.Model.DrawnFaces;

/// <summary>Pictures of drawn faces.</summary>
public static class FaceDrawing
{
    /// <summary>Draws one face.</summary>
    /// <param name="face">What to draw.</param>
    /// <param name="size">Edge in pixels, at least 16.</param>
    /// <returns>size x size x 3 bytes: red, green, blue, rows from the top.</returns>
    public static byte[] Draw(FaceParameters face, int size)
    {
        using var painter = new FacePainter(size);
        byte[] pixels = new byte[size * size * 3];
        painter.Paint(face, pixels);
        return pixels;
    }
}
