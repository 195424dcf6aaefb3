using FFMpegCore;
using FFMpegCore.Enums;
using FFMpegCore.Exceptions;
using FFMpegCore.Pipes;

namespace Cliper.Model.Data.Video;

/// <summary>Runs the programs ffmpeg and ffprobe.</summary>
internal static class Ffmpeg
{
    /// <summary>Enough lines of complaint to tell what is wrong; a damaged hour of video makes millions.</summary>
    private const int MostComplaints = 20;

    private static readonly string[] Programs = ["ffmpeg", "ffprobe"];

    /// <summary>Throws unless both programs can be started.</summary>
    /// <exception cref="InputException">One is missing.</exception>
    public static void Require()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        if (Programs.FirstOrDefault(program => !folders.Any(folder => Has(folder, program))) is { } missing)
            throw new InputException(
                $"{missing} was not found: videos are decoded by ffmpeg; install it (Debian, Ubuntu: apt-get install "
                + "ffmpeg), or give folders of frames with --clips");
    }

    /// <summary>The path as ffmpeg is given it: whole, so that no name can be taken for a protocol or an option.</summary>
    /// <exception cref="InputException">The name has a quote, which cannot be passed on.</exception>
    public static string Argument(string path) => path.Contains('"')
        ? throw new InputException($"{path}: the name has a quotation mark, which cannot be passed to ffmpeg; rename the file")
        : Path.GetFullPath(path);

    /// <summary>What ffprobe finds.</summary>
    /// <exception cref="InputException">It is no video, or damaged beyond recognition.</exception>
    public static IMediaAnalysis Probe(string path)
    {
        Require();
        try
        {
            return FFProbe.Analyse(Argument(path));
        }
        catch (FFMpegException failure)
        {
            string reason = failure is FFProbeProcessException { StandardError: [.., var last] } ? last : failure.Message;
            throw new InputException($"{path}: not a video that ffmpeg can read ({reason.ReplaceLineEndings(" ")}); replace or remove it", failure);
        }
    }

    /// <summary>Decodes to raw pictures.</summary>
    /// <param name="path">The file.</param>
    /// <param name="before">Arguments before the input, such as a place to begin at.</param>
    /// <param name="after">Arguments of the output.</param>
    /// <param name="read">Given the stream of bytes; decoding ends when it returns.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What ffmpeg complained about, and whether it failed.</returns>
    public static async Task<(IReadOnlyList<string> Complaints, bool Failed)> Decode(string path, string before, string after,
        Func<Stream, CancellationToken, Task> read, CancellationToken cancellation)
    {
        var complaints = new List<string>();
        FFMpegResult result = await FFMpegArguments
            .FromFileInput(Argument(path), verifyExists: false, options => options.WithCustomArgument(before))
            .OutputToPipe(new StreamPipeSink(read), options => options.WithCustomArgument(after).ForceFormat("rawvideo"))
            .WithLogLevel(FFMpegLogLevel.Error)
            .NotifyOnStandardError(line =>
            {
                lock (complaints)
                    if (complaints.Count < MostComplaints && !string.IsNullOrWhiteSpace(line))
                        complaints.Add(line.Trim());
            })
            .ProcessAsynchronously(throwOnError: false, cancellationToken: cancellation)
            .ConfigureAwait(false);
        lock (complaints)
            return ([.. complaints], !result.Success);
    }

    private static bool Has(string folder, string program) =>
        folder.Length > 0 && (File.Exists(Path.Combine(folder, program)) || File.Exists(Path.Combine(folder, program + ".exe")));
}
