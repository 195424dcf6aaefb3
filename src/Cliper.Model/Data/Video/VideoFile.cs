using System.Collections.Concurrent;
using System.Globalization;
using FFMpegCore;

namespace Cliper.Model.Data.Video;

/// <summary>
/// A video, as frames at a steady rate: the file's own average one, or another. Where a file's frames do not come at a steady
/// rate, the nearest in time stands for each. Pictures are upright. Decoded by ffmpeg, in memory that does not grow with the
/// length.
/// </summary>
public sealed class VideoFile
{
    /// <summary>Where a file does not say how fast its frames come.</summary>
    private const double UsualRate = 25;

    /// <summary>Longest video of which a whole pass is cheaper than seeking to each frame, in seconds.</summary>
    private const double OnePassSeconds = 20;

    /// <summary>Frames decoded ahead of who takes them.</summary>
    private const int Ahead = 4;

    private const double LargestRate = 1000;

    private readonly Lazy<int> _counted;

    private VideoFile(string path, int width, int height, double rate, double seconds)
    {
        (Path, Width, Height, Rate, Seconds) = (path, width, height, rate, seconds);
        _counted = new Lazy<int>(() => Frames(null).Count());
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>Columns of an upright frame.</summary>
    public int Width { get; }

    /// <summary>Rows of an upright frame.</summary>
    public int Height { get; }

    /// <summary>Frames a second.</summary>
    public double Rate { get; }

    /// <summary>Length in seconds, as the file says; 0 where it does not.</summary>
    public double Seconds { get; }

    /// <summary>Number of frames, by length and rate; counted by decoding where the file does not tell its length.</summary>
    public int FrameCount => Seconds > 0 ? Math.Max(1, (int)Math.Round(Seconds * Rate)) : _counted.Value;

    /// <summary>Reads what a video is.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rate">Frames a second to take it at; 0 for its own average.</param>
    /// <exception cref="InputException">No such file, no video in it, or no ffmpeg.</exception>
    public static VideoFile Open(string path, double rate = 0)
    {
        if (rate is < 0 or > LargestRate || !double.IsFinite(rate))
            throw new SettingsException($"the rate of frames is above 0 and at most {LargestRate} a second, given was {rate}");
        if (!File.Exists(path))
            throw new InputException($"{path}: no such file");
        IMediaAnalysis media = Ffmpeg.Probe(path);
        if (media.PrimaryVideoStream is not { Width: > 0, Height: > 0 } stream)
            throw new InputException($"{path}: no pictures in this file; give a video");
        bool turned = Math.Abs(stream.Rotation) % 180 == 90;
        (int width, int height) = turned ? (stream.Height.Value, stream.Width.Value) : (stream.Width.Value, stream.Height.Value);
        double own = Usable(stream.AverageFrameRate) ? stream.AverageFrameRate
            : Usable(stream.RealFrameRate) ? stream.RealFrameRate : UsualRate;
        TimeSpan length = stream.Duration > TimeSpan.Zero ? stream.Duration : media.Format.Duration;
        return new VideoFile(path, width, height, rate > 0 ? rate : own, Math.Max(0, length.TotalSeconds));

        static bool Usable(double value) => double.IsFinite(value) && value is > 0 and <= LargestRate;
    }

    /// <summary>All frames in order.</summary>
    /// <param name="damage">
    /// Told at the end, in one sentence, of what could not be decoded; null to be told nothing.
    /// </param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Not a single frame could be decoded.</exception>
    public IEnumerable<RgbImage> Frames(Action<string>? damage, CancellationToken cancellation = default) =>
        Decode("", "", damage, cancellation);

    /// <summary>
    /// Chosen frames. Of a short video in one pass, of a long one by seeking to each, which takes the first frame at or after
    /// its time. Fewer are given where the video is damaged or ends before it said it would.
    /// </summary>
    /// <param name="indices">Which, ascending, repetitions allowed; from 0 and below <see cref="FrameCount"/>.</param>
    /// <param name="damage">Told of what could not be decoded.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Not a single one could be decoded.</exception>
    public IReadOnlyList<RgbImage> Take(IReadOnlyList<int> indices, Action<string>? damage, CancellationToken cancellation = default)
    {
        int[] distinct = [.. indices.Distinct()];
        Dictionary<int, RgbImage> found = Seconds > OnePassSeconds ? Sought(distinct, damage, cancellation)
            : InOnePass(distinct, damage, cancellation);
        return found.Count > 0 ? [.. indices.Where(found.ContainsKey).Select(index => found[index])]
            : throw new InputException($"{Path}: none of {distinct.Length} frames could be decoded; replace the file");
    }

    /// <summary>One frame, by seeking to it: the first at or after its time.</summary>
    /// <exception cref="InputException">It cannot be decoded.</exception>
    public RgbImage FrameAt(int index, Action<string>? damage = null, CancellationToken cancellation = default)
    {
        // Half a frame early, so that rounding never passes over the one that is wanted.
        double time = Math.Max(0, (index - 0.5) / Rate);
        return Decode(string.Create(CultureInfo.InvariantCulture, $"-ss {time:F6}"), "", damage, cancellation).First();
    }

    private Dictionary<int, RgbImage> InOnePass(int[] indices, Action<string>? damage, CancellationToken cancellation)
    {
        string wanted = string.Join('+', indices.Select(index => string.Create(CultureInfo.InvariantCulture, $"eq(n\\,{index})")));
        return Decode("", $"select='{wanted}',", damage, cancellation).Zip(indices)
            .ToDictionary(pair => pair.Second, pair => pair.First);
    }

    private Dictionary<int, RgbImage> Sought(int[] indices, Action<string>? damage, CancellationToken cancellation)
    {
        var found = new Dictionary<int, RgbImage>();
        string? first = null;
        foreach (int index in indices)
        {
            try
            {
                found[index] = FrameAt(index, text => first ??= text, cancellation);
            }
            catch (InputException failure)
            {
                first ??= failure.Message;
            }
        }
        if (first != null)
            damage?.Invoke(first);
        return found;
    }

    private IEnumerable<RgbImage> Decode(string before, string filter, Action<string>? damage, CancellationToken cancellation)
    {
        Ffmpeg.Require();
        using var frames = new BlockingCollection<RgbImage>(Ahead);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        // The steady rate, the chosen frames with a steady time each, and one size even where the stream changes it.
        string after = string.Create(CultureInfo.InvariantCulture,
            $"-an -sn -dn -map 0:v:0 -vf \"fps={Rate:R},{filter}setpts=N/({Rate:R}*TB),scale={Width}:{Height}\" -r {Rate:R} "
            + $"{(before.Length > 0 ? "-frames:v 1 " : "")}-pix_fmt rgb24");
        Task<(IReadOnlyList<string> Complaints, bool Failed)> work = Task.Run(() => Ffmpeg.Decode(Path, before, after, Read, stop.Token), CancellationToken.None);
        work.ContinueWith(_ => frames.CompleteAdding(), TaskScheduler.Default);
        int given = 0;
        try
        {
            foreach (RgbImage frame in frames.GetConsumingEnumerable(cancellation))
            {
                given++;
                yield return frame;
            }
        }
        finally
        {
            stop.Cancel();
            ((IAsyncResult)work).AsyncWaitHandle.WaitOne();
        }
        cancellation.ThrowIfCancellationRequested();
        (IReadOnlyList<string> complaints, bool failed) = work.GetAwaiter().GetResult();
        string complaint = complaints.Count > 0 ? $" (ffmpeg: {Sets.Text.Short(complaints[0])})" : "";
        if (given == 0)
            throw new InputException($"{Path}: no frame could be decoded{complaint}; replace the file");
        if (failed || complaints.Count > 0)
            damage?.Invoke($"{Path}: the video is damaged, {given} frames were decoded{complaint}");

        async Task Read(Stream stream, CancellationToken token)
        {
            while (true)
            {
                var pixels = new byte[3 * Width * Height];
                if (await stream.ReadAtLeastAsync(pixels, pixels.Length, throwOnEndOfStream: false, token).ConfigureAwait(false) < pixels.Length)
                    return;
                frames.Add(new RgbImage(Width, Height, pixels), token);
            }
        }
    }
}
