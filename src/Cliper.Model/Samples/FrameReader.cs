using Cliper.Model.Images;
using Cliper.Model.Video;

namespace Cliper.Model.Samples;

/// <summary>Loads pictures in order; those of one video that follow each other in one run of ffmpeg.</summary>
internal static class FrameReader
{
    /// <summary>Where the pictures lie that are loaded together: pictures from <paramref name="start"/> on, up to
    /// <paramref name="end"/>.</summary>
    public static IEnumerable<(int First, int Count)> Together(IReadOnlyList<Frame> frames, int start, int end)
    {
        for (int first = start, next; first < end; first = next)
        {
            next = first + 1;
            if (frames[first] is VideoFrame { Video: var video })
                while (next < end && frames[next] is VideoFrame after && after.Video == video && after.Index > ((VideoFrame)frames[next - 1]).Index)
                    next++;
            yield return (first, next - first);
        }
    }

    /// <summary>Loads pictures, holding one of them at a time.</summary>
    /// <param name="frames">The pictures.</param>
    /// <param name="codec">Decodes files.</param>
    /// <param name="loaded">Given each that can be read, by its place.</param>
    /// <param name="failed">Told of each that cannot, and why.</param>
    public static void Load(IReadOnlyList<Frame> frames, IImageCodec codec, Action<int, RgbImage> loaded, Action<int, InputException> failed)
    {
        foreach ((int first, int count) in Together(frames, 0, frames.Count))
        {
            if (count > 1)
            {
                LoadVideo(frames, first, count, loaded, failed);
                continue;
            }
            RgbImage image;
            try
            {
                image = frames[first].Load(codec);
            }
            catch (InputException failure)
            {
                failed(first, failure);
                continue;
            }
            loaded(first, image);
        }
    }

    private static void LoadVideo(IReadOnlyList<Frame> frames, int first, int count, Action<int, RgbImage> loaded, Action<int, InputException> failed)
    {
        VideoFile video = ((VideoFrame)frames[first]).Video;
        var places = Enumerable.Range(first, count).ToDictionary(place => ((VideoFrame)frames[place]).Index);
        string? damage = null;
        try
        {
            foreach ((int index, RgbImage image) in video.Chosen([.. places.Keys.Order()], text => damage ??= text))
                if (places.Remove(index, out int place))
                    loaded(place, image);
        }
        catch (InputException failure)
        {
            damage ??= failure.Message;
        }
        foreach (int place in places.Values.Order())
            failed(place, new InputException($"{frames[place].Name}: the frame cannot be decoded"
                + (damage is null ? "; the video ends before it" : $" ({damage})")));
    }
}
