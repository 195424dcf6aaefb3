using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// How the images that a model has learned from look, so that others are given to it alike: a model of gray images of
/// 48 pixels never met color, nor detail that those cannot hold.
/// </summary>
/// <param name="IsGray">Whether every image was gray.</param>
/// <param name="Side">Median of the shorter side, in pixels; 0 where it is not known.</param>
public sealed record TrainingLook(bool IsGray, int Side)
{
    /// <summary>Measures images, of which there is at least one.</summary>
    internal static TrainingLook Of(IReadOnlyList<(bool IsGray, int Side)> images) => new(
        images.All(image => image.IsGray),
        images.Select(image => image.Side).Order().ElementAt(images.Count / 2));

    /// <summary>
    /// A square image as the training images were: gray by its luminance (ITU-R BT.601, which JPEG's gray is too), and
    /// reduced to their side, from which CLIP's transform takes it to its own. A smaller one is not enlarged.
    /// </summary>
    internal RgbImage Apply(RgbImage image)
    {
        RgbImage look = IsGray ? Gray(image) : image;
        if (Side == 0 || image.Width <= Side)
            return look;
        var pixels = new byte[3 * Side * Side];
        Resize.Forward<Bicubic>(look.Pixels, look.Width, look.Height, 3,
            new Resize.Geometry(new(0, 0, look.Width, look.Height), Side, Side, new(0, 0, Side, Side)), pixels);
        return new RgbImage(Side, Side, pixels);
    }

    /// <summary>Whether red, green and blue of every pixel are equal.</summary>
    internal static bool IsGrayImage(RgbImage image)
    {
        byte[] pixels = image.Pixels;
        for (int i = 0; i < pixels.Length; i += 3)
            if (pixels[i] != pixels[i + 1] || pixels[i] != pixels[i + 2])
                return false;
        return true;
    }

    private static RgbImage Gray(RgbImage image)
    {
        byte[] source = image.Pixels, pixels = new byte[source.Length];
        for (int i = 0; i < pixels.Length; i += 3)
            pixels[i] = pixels[i + 1] = pixels[i + 2] =
                (byte)((299 * source[i] + 587 * source[i + 1] + 114 * source[i + 2] + 500) / 1000);
        return new RgbImage(image.Width, image.Height, pixels);
    }
}
