using Cliper.Model.Images;

namespace Cliper.Model.Inference;

/// <summary>Groups of images that are held and answered together, of a bounded number and size.</summary>
internal static class ImageGroups
{
    /// <summary>Most images of a group.</summary>
    private const int MostImages = 16;

    /// <summary>Bytes of images beyond which no further image is held with them.</summary>
    private const long MostBytes = 256L << 20;

    /// <summary>Items in groups, in their order.</summary>
    /// <param name="all">The items; no further one is asked for while a group is looked at.</param>
    /// <param name="image">The image of an item; null for one that has none.</param>
    public static IEnumerable<T[]> Of<T>(IEnumerable<T> all, Func<T, RgbImage?> image)
    {
        var group = new List<T>();
        long bytes = 0;
        foreach (T item in all)
        {
            group.Add(item);
            bytes += image(item)?.Pixels.Length ?? 0;
            if (group.Count < MostImages && bytes < MostBytes)
                continue;
            T[] held = [.. group];
            group.Clear();
            bytes = 0;
            yield return held;
        }
        if (group.Count > 0)
            yield return [.. group];
    }
}
