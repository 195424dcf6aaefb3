using Cliper.Kernels.Operations;

namespace Cliper.References;

/// <summary>A box of zeros in every channel's plane.</summary>
internal static class EraseReference
{
    /// <summary>Whether a pixel lies in the box.</summary>
    public static bool IsInside(PixelBox box, int column, int row) => column >= box.X && column < box.X + box.Width
        && row >= box.Y && row < box.Y + box.Height;

    /// <summary>The planes [channels, height, width] with zeros in the box.</summary>
    public static float[] Forward(float[] planes, int width, int height, PixelBox box) =>
        [.. planes.Select((value, i) => IsInside(box, i % width, i / width % height) ? 0 : value)];
}
