using System.Globalization;
using Cliper.Model.Images;

namespace Cliper.Model.Video;

/// <summary>
/// A video as frames at a constant rate: the average rate of the file, or another. Where the frames of the file have no
/// constant rate, the nearest in time is taken. Frames are as a player shows them: upright, with square pixels. ffmpeg
/// decodes them, in memory that does not grow with the length.
/// </summary>
public sealed class VideoFile
{
    /// <summary>
    /// Seeking to a frame costs about as much as decoding this many seconds: a start of ffmpeg, and the way from a key
    /// frame.
    /// </summary>
    private const double SecondsOfASeek = 1.25;

    /// <summary>Decoders work on one frame a thread, so frames beyond this many pixels get few threads.</summary>
    private const long LargeFrame = 9L << 20;

    private const int ThreadsForLargeFrames = 2;

    /// <summary>Lengths that files tell are off by a frame or two, not by a tenth.</summary>
    private const double MostMissing = 0.9;

    private readonly Lazy<int> _counted;

    private readonly double _start;

    private VideoFile(string path, VideoFacts facts, double rate, CancellationToken cancellation)
    {
        (Path, Width, Height, Rate, Seconds) = (path, facts.Width, facts.Height, rate, facts.Seconds);
        _start = facts.Start;
        _counted = new Lazy<int>(() => Frames(null, cancellation).Count());
    }

    /// <summary>Path of the file.</summary>
    public string Path { get; }

    /// <summary>Columns of a frame as it is shown.</summary>
    public int Width { get; }

    /// <summary>Rows of a frame as it is shown.</summary>
    public int Height { get; }

    /// <summary>Frames a second.</summary>
    public double Rate { get; }

    /// <summary>Length in seconds, by the file or by the times of its frames; 0 where neither tells it.</summary>
    public double Seconds { get; }

    /// <summary>
    /// Number of frames, by length and rate; counted by decoding where the file does not tell its length.
    /// </summary>
    public int FrameCount => Seconds > 0 ? Math.Max(1, (int)Math.Round(Seconds * Rate)) : _counted.Value;

    /// <summary>Reads what a video is.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rate">Frames a second to take it at; 0 for its own average.</param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>, and so the counting for
    /// <see cref="FrameCount"/> later.</param>
    /// <exception cref="InputException">No such file, no video in it, or no ffmpeg.</exception>
    public static VideoFile Open(string path, double rate = 0, CancellationToken cancellation = default)
    {
        if (rate is < 0 or > VideoFacts.LargestRate || !double.IsFinite(rate))
            throw new SettingsException(
                $"the rate of frames is above 0 and at most {VideoFacts.LargestRate} a second, given was {rate}");
        if (!System.IO.Path.Exists(path))
            throw new InputException($"{path}: no such file");
        try
        {
            VideoFacts facts = VideoFacts.Of(path, cancellation);
            return new VideoFile(path, facts, rate > 0 ? rate : facts.Rate, cancellation);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the video cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>All frames in order.</summary>
    /// <param name="damage">
    /// Receives one sentence at the end, if some frames could not be decoded; may be null.
    /// </param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Not a single frame could be decoded.</exception>
    public IEnumerable<RgbImage> Frames(Action<string>? damage, CancellationToken cancellation = default)
    {
        int given = 0;
        bool told = false;
        foreach (RgbImage frame in Decode(null, "", text => { told = true; damage?.Invoke(text); }, cancellation))
        {
            given++;
            yield return frame;
        }
        if (!told && given < MostMissing * Seconds * Rate - 1)
            damage?.Invoke(string.Create(CultureInfo.InvariantCulture,
                $"{Path}: the video ends after {given / Rate:F1} of {Seconds:F1} s, it has been cut off"));
    }

    /// <summary>
    /// Chosen frames. In one pass where that costs less than seeking to each, which takes the first frame at or after
    /// its time. Fewer are given where the video is damaged or ends before it said it would.
    /// </summary>
    /// <param name="indices">Which, ascending, repetitions allowed; from 0 and below <see cref="FrameCount"/>.</param>
    /// <param name="damage">Receives one sentence on frames that could not be decoded.</param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">Not a single one could be decoded.</exception>
    public IReadOnlyList<RgbImage> Take(IReadOnlyList<int> indices, Action<string>? damage,
        CancellationToken cancellation = default)
    {
        int[] distinct = [.. indices.Distinct()];
        Dictionary<int, RgbImage> found = Chosen(distinct, damage, cancellation).ToDictionary(pair => pair.Index,
            pair => pair.Frame);
        return found.Count > 0 ? [.. indices.Where(found.ContainsKey).Select(index => found[index])]
            : throw new InputException($"{Path}: none of {distinct.Length} frames could be decoded; replace the file");
    }

    /// <summary>One frame, by seeking to it: the first at or after its time.</summary>
    /// <exception cref="InputException">It cannot be decoded.</exception>
    public RgbImage FrameAt(int index, Action<string>? damage = null, CancellationToken cancellation = default)
    {
        // Half a frame early, so that rounding never passes over the one that is wanted. Damage is told at the end, so
        // that the only frame has to be the last one too.
        return Decode(_start + Math.Max(0, (index - 0.5) / Rate), "", damage, cancellation).Last();
    }

    /// <summary>Chosen frames as they are decoded, one in memory at a time.</summary>
    /// <param name="indices">Which, ascending, none twice.</param>
    /// <param name="damage">Receives one sentence on frames that could not be decoded.</param>
    /// <param name="cancellation">Cancels it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">In a pass, not a single one could be decoded.</exception>
    internal IEnumerable<(int Index, RgbImage Frame)> Chosen(IReadOnlyList<int> indices, Action<string>? damage,
        CancellationToken cancellation = default) => Seconds > SecondsOfASeek * indices.Count
        ? Sought(indices, damage, cancellation)
            : Decode(null, $"select='{Selection(indices)}',", damage, cancellation).Zip(indices, (frame, index) =>
            (index, frame));

    /// <summary>Frames by number as ffmpeg's select filter takes them, those in a row as one term.</summary>
    private static string Selection(IReadOnlyList<int> indices)
    {
        var terms = new List<string>();
        for (int i = 0, last; i < indices.Count; i = last + 1)
        {
            for (last = i; last + 1 < indices.Count && indices[last + 1] == indices[last] + 1;)
                last++;
            terms.Add(string.Create(CultureInfo.InvariantCulture, $"between(n\\,{indices[i]}\\,{indices[last]})"));
        }
        return string.Join('+', terms);
    }

    private IEnumerable<(int Index, RgbImage Frame)> Sought(IReadOnlyList<int> indices, Action<string>? damage,
        CancellationToken cancellation)
    {
        string? first = null;
        foreach (int index in indices)
            if (TryFrameAt(index) is { } frame)
                yield return (index, frame);
        if (first != null)
            damage?.Invoke(first);

        RgbImage? TryFrameAt(int index)
        {
            try
            {
                return FrameAt(index, text => first ??= text, cancellation);
            }
            catch (InputException failure)
            {
                first ??= failure.Message;
                return null;
            }
        }
    }

    /// <summary>
    /// Frames as ffmpeg gives them; its pipe holds a few, so memory does not depend on who is slower.
    /// </summary>
    /// <param name="start">Seconds to begin at, by seeking; null for the beginning.</param>
    /// <param name="filter">Filter that chooses frames, with a comma after it.</param>
    /// <param name="damage">Receives one sentence on frames that could not be decoded.</param>
    /// <param name="cancellation">Cancels it.</param>
    private IEnumerable<RgbImage> Decode(double? start, string filter, Action<string>? damage,
        CancellationToken cancellation)
    {
        // The steady rate, the chosen frames with a steady time each, and one size even where the stream changes it.
        // ffmpeg turns the frames upright before these filters, and the scale makes their pixels square.
        string filters = string.Create(CultureInfo.InvariantCulture,
            $"fps={Rate:R},{filter}setpts=N/({Rate:R}*TB),scale={Width}:{Height},setsar=1");
        string[] threads = (long)Width * Height <= LargeFrame ? []
            : ["-threads", ThreadsForLargeFrames.ToString(CultureInfo.InvariantCulture)];
        string[] seek = start is { } seconds ? ["-ss", seconds.ToString("F6", CultureInfo.InvariantCulture)] : [];
        string[] one = start is null ? [] : ["-frames:v", "1"];
        using var run = new Ffmpeg.Run(
        [
            .. threads, .. seek, .. Ffmpeg.Input(Path), "-map", "0:V:0", "-vf", filters, "-r",
            Rate.ToString("R", CultureInfo.InvariantCulture),
            .. one, "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1",
        ], cancellation, isSeeking: start is not null);
        int given = 0;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var pixels = new byte[3 * Width * Height];
            if (run.Output.ReadAtLeast(pixels, pixels.Length, throwOnEndOfStream: false) < pixels.Length)
                break;
            given++;
            yield return new RgbImage(Width, Height, pixels);
        }
        (bool failed, string? complaint) = run.End(cancellation);
        string reason = complaint is null ? "" : $" (ffmpeg: {complaint})";
        if (given == 0)
            throw new InputException($"{Path}: no frame could be decoded{reason}; replace the file");
        if (failed || complaint is not null)
            damage?.Invoke(string.Create(CultureInfo.InvariantCulture,
                $"{Path}: the video is damaged, {given} frames were decoded{reason}"));
    }
}
