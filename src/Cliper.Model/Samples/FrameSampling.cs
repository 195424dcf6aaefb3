using Cliper.Kernels.Operations;

namespace Cliper.Model.Samples;

/// <summary>How a clip with fewer frames than segments is filled up.</summary>
public enum ShortClips
{
    /// <summary>All frames in order, the last one repeated (DFER-CLIP).</summary>
    RepeatLast,

    /// <summary>The first frames over and over: every segment begins at frame 0 (Former-DFER, IAL).</summary>
    RepeatFirst,
}

/// <summary>
/// Chooses frames of a clip as Former-DFER, IAL and DFER-CLIP do: U segments of equal length, V consecutive frames of
/// each. Training takes a random place within each segment, testing its middle.
/// </summary>
internal static class FrameSampling
{
    /// <summary>Indices of the frames, U x V of them, ascending within a segment.</summary>
    /// <param name="frames">Frames of the clip, N, at least 1.</param>
    /// <param name="segments">Number of segments, U.</param>
    /// <param name="perSegment">Consecutive frames of each segment, V.</param>
    /// <param name="shortClips">How a clip of fewer than U + 1 frames is filled up.</param>
    /// <param name="random">Null for the test form.</param>
    public static int[] Indices(int frames, int segments, int perSegment, ShortClips shortClips, RandomStream? random)
    {
        if (random is not { } stream)
            return DrawnIndices(frames, segments, perSegment, shortClips, null);
        return DrawnIndices(frames, segments, perSegment, shortClips, limit => stream.NextInt(limit));
    }

    /// <summary>Indices of the frames, with any source of random numbers.</summary>
    /// <param name="frames">Frames of the clip, N, at least 1.</param>
    /// <param name="segments">Number of segments, U.</param>
    /// <param name="perSegment">Consecutive frames of each segment, V.</param>
    /// <param name="shortClips">How a clip of fewer than U + 1 frames is filled up.</param>
    /// <param name="draw">A random number from 0 and below the one given; null for the test form.</param>
    internal static int[] DrawnIndices(int frames, int segments, int perSegment, ShortClips shortClips,
        Func<int, int>? draw)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(segments, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(perSegment, 1);
        int[] starts = draw is not null ? TrainStarts(frames, segments, perSegment, shortClips, draw)
            : TestStarts(frames, segments, perSegment, shortClips);
        var indices = new int[segments * perSegment];
        for (int u = 0; u < segments; u++)
            for (int v = 0; v < perSegment; v++)
                indices[u * perSegment + v] = Math.Min(starts[u] + v, frames - 1);
        return indices;
    }

    private static int[] TrainStarts(int frames, int segments, int perSegment, ShortClips shortClips,
        Func<int, int> draw)
    {
        int places = frames - perSegment + 1, length = places > 0 ? places / segments : 0;
        var starts = new int[segments];
        if (length > 0)
        {
            for (int u = 0; u < segments; u++)
                starts[u] = u * length + draw(length);
        }
        else if (frames > segments && places > 0)
        {
            for (int u = 0; u < segments; u++)
                starts[u] = draw(places);
            Array.Sort(starts);
        }
        else
        {
            FillShort(starts, frames, shortClips);
        }
        return starts;
    }

    private static int[] TestStarts(int frames, int segments, int perSegment, ShortClips shortClips)
    {
        var starts = new int[segments];
        if (frames <= segments + perSegment - 1)
        {
            FillShort(starts, frames, shortClips);
            return starts;
        }
        double tick = (frames - perSegment + 1) / (double)segments;
        for (int u = 0; u < segments; u++)
            starts[u] = (int)(tick / 2 + tick * u);
        return starts;
    }

    private static void FillShort(int[] starts, int frames, ShortClips shortClips)
    {
        for (int u = 0; u < starts.Length && shortClips == ShortClips.RepeatLast; u++)
            starts[u] = Math.Min(u, frames - 1);
    }
}
