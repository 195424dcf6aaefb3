using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Cliper.Model.Images;

namespace Cliper.Model.Video;

/// <summary>Writes frames as an H.264 video.</summary>
internal static partial class VideoWriter
{
    /// <summary>
    /// Writes <paramref name="frames"/> with the sound of <paramref name="video"/>; whole or not at all.
    /// </summary>
    /// <param name="path">The file; its extension decides the container.</param>
    /// <param name="video">Where rate, size and sound come from.</param>
    /// <param name="frames">Images of the video's size.</param>
    /// <param name="cancellation">Cancels it, leaving no file.</param>
    /// <exception cref="InputException">ffmpeg cannot write it, or is missing.</exception>
    public static void Write(string path, VideoFile video, IEnumerable<RgbImage> frames,
        CancellationToken cancellation = default)
    {
        string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full)!;
        Directory.CreateDirectory(folder);
        RemoveLeftovers(folder);
        // ffmpeg takes the container from the ending.
        string temporary = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture,
            $".{Path.GetFileNameWithoutExtension(full)}.{Host}.{Environment.ProcessId}.{Guid.NewGuid():N}.tmp")
            + Path.GetExtension(full));
        try
        {
            (bool failed, string? complaint) = Encode(temporary, video, frames, cancellation);
            if (failed || !File.Exists(temporary))
                throw new InputException(
                    $"{path}: ffmpeg could not write the video ({complaint ?? "no reason given"}); name an .mp4 "
                    + "file in a folder with room, and use an ffmpeg with libx264");
            File.Move(temporary, full, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>
    /// Name of this host in names of files: the number of a process of another host, which may write to the same
    /// folder, says nothing here.
    /// </summary>
    internal static string Host { get; } =
        string.Concat(Environment.MachineName.Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-'));

    /// <summary>Removes what processes of this host that were killed left half-written in a folder.</summary>
    private static void RemoveLeftovers(string folder)
    {
        foreach (string file in Directory.GetFiles(folder, $".*.{Host}.*.tmp.*"))
        {
            if (Leftover().Match(Path.GetFileName(file)) is not { Success: true, Groups: [_, var host, var process] }
                || host.Value != Host || IsRunning(int.Parse(process.Value, CultureInfo.InvariantCulture)))
                continue;
            try
            {
                File.Delete(file);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // It is another user's, or another process removes it: nothing that is written here needs it gone.
            }
        }
    }

    private static bool IsRunning(int process)
    {
        try
        {
            using var found = Process.GetProcessById(process);
            return !found.HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    [GeneratedRegex(@"^\..*\.([0-9A-Za-z-]+)\.([0-9]{1,9})\.[0-9a-f]{32}\.tmp\.[^.]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Leftover();

    private static (bool Failed, string? Complaint) Encode(string path, VideoFile video, IEnumerable<RgbImage> frames,
        CancellationToken cancellation)
    {
        string rate = video.Rate.ToString("R", CultureInfo.InvariantCulture);
        string size = string.Create(CultureInfo.InvariantCulture, $"{video.Width}x{video.Height}");
        // H.264 wants even sides: a black row or column is added where one is odd.
        using var run = new Ffmpeg.Run(
        [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "pipe:0", .. Ffmpeg.Input(video.Path),
            "-map", "0:v", "-map", "1:a?", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2",
            "-c:a", "aac", $"file:{path}",
        ], cancellation);
        foreach (RgbImage frame in frames)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                run.Input.Write(frame.Pixels);
            }
            catch (IOException)
            {
                // It has ended early, and says why.
                return run.End(cancellation) with { Failed = true };
            }
        }
        return run.End(cancellation);
    }
}
