using System.Globalization;
using Cliper.Model.Images;

namespace Cliper.Model.Video;

/// <summary>Writes frames as an H.264 video.</summary>
internal static class VideoWriter
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
        string temporary = Path.Combine(folder, $".{Guid.NewGuid():N}{Path.GetExtension(full)}");
        Directory.CreateDirectory(folder);
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

    private static (bool Failed, string? Complaint) Encode(string path, VideoFile video, IEnumerable<RgbImage> frames,
        CancellationToken cancellation)
    {
        string rate = video.Rate.ToString("R", CultureInfo.InvariantCulture);
        string size = string.Create(CultureInfo.InvariantCulture, $"{video.Width}x{video.Height}");
        // H.264 wants even sides: a black row or column is added where one is odd.
        using var run = new Ffmpeg.Run(
        [
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "pipe:0", "-i",
            Path.GetFullPath(video.Path),
            "-map", "0:v", "-map", "1:a?", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-vf",
            "pad=ceil(iw/2)*2:ceil(ih/2)*2",
            "-c:a", "aac", path,
        ]);
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
                return run.End() with { Failed = true };
            }
        }
        return run.End();
    }
}
