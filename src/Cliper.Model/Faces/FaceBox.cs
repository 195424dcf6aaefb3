using Cliper.Kernels.Operations;

namespace Cliper.Model.Faces;

/// <summary>Boxes around faces.</summary>
public static class FaceBox
{
    /// <summary>
    /// The box with <paramref name="margin"/> times its own size added on each side; it may reach beyond the picture.
    /// </summary>
    /// <param name="box">The box.</param>
    /// <param name="margin">Part of the box's width and height; 0 for the box itself.</param>
    public static PixelBox Widened(this PixelBox box, float margin)
    {
        int across = (int)MathF.Round(margin * box.Width), down = (int)MathF.Round(margin * box.Height);
        return new PixelBox(box.X - across, box.Y - down, box.Width + 2 * across, box.Height + 2 * down);
    }
}
