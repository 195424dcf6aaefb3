using Cliper.Kernels.Operations;

namespace Cliper.Model.Images;

/// <summary>Boxes in pictures of another size.</summary>
internal static class PixelBoxes
{
    /// <summary>The box where each pixel stands for <paramref name="scale"/> others along each axis; never
    /// empty.</summary>
    public static PixelBox Scaled(this PixelBox box, double scale)
    {
        if (scale == 1)
            return box;
        int left = (int)Math.Round(box.X * scale), top = (int)Math.Round(box.Y * scale);
        int right = (int)Math.Round((box.X + (double)box.Width) * scale);
        int bottom = (int)Math.Round((box.Y + (double)box.Height) * scale);
        return new PixelBox(left, top, Math.Max(1, right - left), Math.Max(1, bottom - top));
    }
}
