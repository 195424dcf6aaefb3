using Cliper.Model.Images;

namespace Cliper.Model.Samples;

/// <summary>Loads frames in order. Frames that continue one another are loaded together, in one run.</summary>
internal static class FrameReader
{
    /// <summary>Splits the frames from <paramref name="start"/> up to <paramref name="end"/> into runs.</summary>
    /// <returns>Index of the first frame and number of frames of each run.</returns>
    public static IEnumerable<(int First, int Count)> Runs(IReadOnlyList<Frame> frames, int start, int end)
    {
        for (int first = start, next; first < end; first = next)
        {
            for (next = first + 1; next < end && frames[next].Continues(frames[next - 1]);)
                next++;
            yield return (first, next - first);
        }
    }

    /// <summary>Loads frames; one decoded image is held at a time.</summary>
    /// <param name="frames">The frames.</param>
    /// <param name="codec">Decodes files.</param>
    /// <param name="loaded">Receives each image that can be read, with the index of its frame.</param>
    /// <param name="failed">Receives the index of each frame that cannot be read, and the reason.</param>
    public static void Load(IReadOnlyList<Frame> frames, IImageCodec codec, Action<int, RgbImage> loaded,
        Action<int, InputException> failed)
    {
        foreach ((int first, int count) in Runs(frames, 0, frames.Count))
            frames[first].LoadMany([.. frames.Skip(first).Take(count)], codec,
                (index, image) => loaded(first + index, image), (index, failure) => failed(first + index, failure));
    }
}
