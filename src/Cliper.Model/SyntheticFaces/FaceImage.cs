using Cliper.Model.Images;

namespace Cliper.Model.SyntheticFaces;

/// <summary>Images of synthetic faces.</summary>
internal static class FaceImage
{
    /// <summary>Renders one face. For many, a <see cref="FaceRenderer"/> saves making a canvas each time.</summary>
    /// <param name="face">The face.</param>
    /// <param name="size">Edge in pixels, at least 16.</param>
    /// <param name="style">Style of the image.</param>
    public static RgbImage Render(FaceParameters face, int size, FaceStyle style = FaceStyle.Paint)
    {
        using var renderer = new FaceRenderer(size);
        byte[] pixels = new byte[size * size * 3];
        renderer.Render(face, pixels);
        var image = new RgbImage(size, size, pixels);
        return style == FaceStyle.Pencil ? PencilFilter.Of(image) : image;
    }
}
