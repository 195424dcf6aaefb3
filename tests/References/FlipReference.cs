namespace Cliper.References;

/// <summary>Each row of pixels from right to left; the channels of a pixel keep their order.</summary>
internal static class FlipReference
{
    /// <summary>The mirrored rows of <c>width</c> pixels.</summary>
    public static byte[] Horizontal(byte[] pixels, int width, int channels) =>
        [.. pixels.Chunk(width * channels).SelectMany(row => row.Chunk(channels).Reverse().SelectMany(p => p))];
}
