using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// Overlapping squares that a large picture is cut into, so that its small faces are large ones of a square.
/// </summary>
internal static class FaceTiles
{
    /// <summary>
    /// A tile's side over the smallest face in it: such a face is 32 of the network's 256 pixels. Tiles of the next
    /// size, twice as large, find the faces that are too large to lie whole within the overlap of these.
    /// </summary>
    private const int FacesPerSide = 8;

    /// <summary>
    /// A tile's side over the overlap of two: faces of up to twice the smallest lie whole in one of them.
    /// </summary>
    private const int SidePerOverlap = 4;

    /// <summary>
    /// The tiles of every size that is smaller than the picture, the smallest first; none for a small picture.
    /// </summary>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="height">Rows of the picture.</param>
    /// <param name="smallest">Side of the smallest face that is wanted, in pixels.</param>
    public static IEnumerable<PixelBox> Of(int width, int height, int smallest)
    {
        for (long side = (long)FacesPerSide * smallest; side < Math.Max(width, height); side *= 2)
            foreach (int y in Starts(height, (int)side))
                foreach (int x in Starts(width, (int)side))
                    yield return new PixelBox(x, y, (int)Math.Min(side, width), (int)Math.Min(side, height));
    }

    // Evenly spaced, the last one at the end of the axis.
    private static IEnumerable<int> Starts(int length, int side)
    {
        if (length <= side)
            return [0];
        int overlap = side / SidePerOverlap, count = (length - overlap + side - overlap - 1) / (side - overlap);
        return Enumerable.Range(0, count).Select(i => (int)((long)i * (length - side) / (count - 1)));
    }

    /// <summary>Whether a box is cut by an edge of a tile that is not the picture's own edge.</summary>
    public static bool IsCut(FaceCandidate face, PixelBox tile, RgbImage image) =>
        tile.X > 0 && face.Left < tile.X || tile.Y > 0 && face.Top < tile.Y
        || tile.X + tile.Width < image.Width && face.Left + face.Width > tile.X + tile.Width
        || tile.Y + tile.Height < image.Height && face.Top + face.Height > tile.Y + tile.Height;
}
