using System.Globalization;
using System.Text;
using System.Text.Json;
using Cliper.Model.Images;
using Cliper.Model.IO;
using FFMpegCore;

namespace Cliper.Model.Video;

/// <summary>
/// Facts of a video that ffprobe tells, and those that its times tell where the file is silent. FFMpegCore reads the
/// document of ffprobe; the process is this program's own, which has a time limit and ends when it is canceled.
/// </summary>
/// <param name="Width">Columns of a frame as it is shown: upright, with square pixels.</param>
/// <param name="Height">Rows of it.</param>
/// <param name="Rate">Frames a second on average.</param>
/// <param name="Seconds">Length; 0 where it is not known.</param>
/// <param name="Start">Time of the first frame, counted from the beginning of the file, in seconds.</param>
internal readonly record struct VideoFacts(int Width, int Height, double Rate, double Seconds, double Start)
{
    /// <summary>Largest rate that is taken for one.</summary>
    public const double LargestRate = 1000;

    /// <summary>Frame rate of a file whose times do not tell one.</summary>
    private const double UsualRate = 25;

    /// <summary>A higher rate that is stated may be the resolution of a clock, as in browsers' files.</summary>
    private const double BelievedRate = 120;

    /// <summary>Statements that differ by less mean one rate: 30 in whole milliseconds is 30.3.</summary>
    private const double SameRate = 0.05;

    /// <summary>Largest shape of a pixel that is believed, to either side; formats have up to 4.</summary>
    private const double MostStretched = 10;

    /// <summary>Largest frame: 8K, with some room. ffmpeg and this program hold several at a time.</summary>
    private const long MostPixels = 9L << 22;

    /// <summary>Packets whose times are enough to measure a rate.</summary>
    private const int MeasuredPackets = 400;

    // The first packet tells where the frames begin: of a Matroska file whose sound begins earlier, start_time of the
    // stream does not.
    private const string Entries =
        "stream:stream_tags:stream_side_data:stream_disposition:format:packet=pts_time";

    private static readonly TimeSpan HeaderLimit = TimeSpan.FromSeconds(30), PacketsLimit = TimeSpan.FromMinutes(2);

    /// <summary>Reads the facts of a file.</summary>
    /// <exception cref="InputException">It is no video, it is a playlist, or its frames are too large.</exception>
    public static VideoFacts Of(string path, CancellationToken cancellation)
    {
        RegularFile.Require(path);
        if (Playlists.Describe(ImageSignature.HeadOf(path)) is { } playlist)
            throw new InputException($"{path}: {playlist}, which names other files and is not followed; give the video "
                + "itself");
        // The stream "V" is the first that is no cover picture.
        byte[] told = Ffmpeg.Probe(path,
            ["-select_streams", "V:0", "-read_intervals", "%+#1", "-show_entries", Entries, "-of", "json"], HeaderLimit,
            cancellation);
        using JsonDocument document = JsonDocument.Parse(told);
        JsonElement streams = document.RootElement.TryGetProperty("streams", out JsonElement found) ? found : default;
        if (streams.ValueKind != JsonValueKind.Array || streams.GetArrayLength() == 0
            || FFProbe.FromJson(Encoding.UTF8.GetString(told)).PrimaryVideoStream
                is not { Width: > 0 and var width, Height: > 0 and var height } video)
            throw new InputException($"{path}: no pictures in this file; give a video");
        JsonElement stream = streams[0];
        JsonElement format = document.RootElement.TryGetProperty("format", out JsonElement whole) ? whole : stream;
        (int columns, int rows) = Shown(video, width, height);
        if (Math.Max((long)width * height, (long)columns * rows) > MostPixels)
            throw new InputException(FormattableString.Invariant(
                $"{path}: frames of {width} x {height} pixels, shown as {columns} x {rows}, expected at most ")
                + FormattableString.Invariant($"{MostPixels:N0} pixels; make a smaller copy (ffmpeg -vf scale)"));
        double seconds = Math.Max(0, Number(stream, "duration") ?? Number(format, "duration") ?? 0);
        double? rate = Told(video, isCounted: Number(stream, "nb_frames") is > 1);
        if (rate is null || seconds == 0)
        {
            double[] times = Times(path, all: seconds == 0, cancellation);
            rate ??= Measured(video, times);
            if (seconds == 0 && times.Length > 1)
                seconds = times[^1] - times[0] + 1 / rate.Value;
        }
        bool hasPacket = document.RootElement.TryGetProperty("packets", out JsonElement packets)
            && packets.GetArrayLength() > 0;
        double start = ((hasPacket ? Number(packets[0], "pts_time") : null) ?? 0) - (Number(format, "start_time") ?? 0);
        return new VideoFacts(columns, rows, rate.Value, seconds, Math.Max(0, start));
    }

    /// <summary>Size of a frame with square pixels, turned as the file asks.</summary>
    private static (int Width, int Height) Shown(VideoStream stream, int width, int height)
    {
        double shape = stream.SampleAspectRatio.Width / (double)stream.SampleAspectRatio.Height;
        if (shape is >= 1 / MostStretched and <= MostStretched)
            width = Math.Max(1, (int)Math.Round(width * shape));
        return Math.Abs(stream.Rotation) % 180 == 90 ? (height, width) : (width, height);
    }

    /// <summary>The rate that a file states; null where it states none, or none that can be believed.</summary>
    private static double? Told(VideoStream stream, bool isCounted)
    {
        (double average, double real) = (stream.AverageFrameRate, stream.RealFrameRate);
        if (average is not (> 0 and <= LargestRate))
            return null;
        bool isSure = isCounted || average <= BelievedRate && Math.Abs(average - real) <= 1e-3 * real;
        return isSure ? average : null;
    }

    /// <summary>The rate by the frames' times: a stated one that agrees, else the mean.</summary>
    private static double Measured(VideoStream stream, double[] times)
    {
        (double average, double real) = (stream.AverageFrameRate, stream.RealFrameRate);
        if (times.Length < 2 || times[^1] <= times[0])
            return real is > 0 and <= BelievedRate ? real : UsualRate;
        double mean = (times.Length - 1) / (times[^1] - times[0]);
        foreach (double stated in new[] { real, average })
            if (stated is > 0 and <= LargestRate && Math.Abs(stated - mean) <= SameRate * mean)
                return stated;
        return Math.Min(mean, LargestRate);
    }

    /// <summary>Times of the frames, rising, read without decoding them.</summary>
    private static double[] Times(string path, bool all, CancellationToken cancellation)
    {
        string[] some = all ? [] : ["-read_intervals", $"%+#{MeasuredPackets}"];
        byte[] output = Ffmpeg.Probe(path,
            ["-select_streams", "V:0", .. some, "-show_entries", "packet=pts_time", "-of", "csv=p=0"], PacketsLimit,
            cancellation);
        double[] times = [.. Encoding.ASCII.GetString(output).Split('\n').Select(line =>
            double.TryParse(line.TrimEnd(',', '\r'), NumberStyles.Float, CultureInfo.InvariantCulture, out double time)
            ? time : double.NaN).Where(double.IsFinite)];
        Array.Sort(times);
        return times;
    }

    /// <summary>A number, which ffprobe writes as one or as text; null where there is none.</summary>
    private static double? Number(JsonElement element, string name)
    {
        if (!element.TryGetProperty(name, out element))
            return null;
        string? text = element.ValueKind == JsonValueKind.String ? element.GetString() : element.GetRawText();
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            && double.IsFinite(number) ? number : null;
    }
}
