namespace Cliper.Model.Weights;

/// <summary>Files that are there whole or not at all.</summary>
public static class AtomicFile
{
    private const string TemporaryEnding = ".tmp";

    // Shared memory is a folder of ordinary files among the devices.
    private const string DeviceFolder = "/dev/", SharedMemory = "/dev/shm/";

    /// <summary>
    /// Writes a file under a temporary name in its folder (made when missing), flushes it to the disk and renames it.
    /// When writing fails, what was there before stays and the temporary file is removed. A device (/dev/...) is
    /// written to as it is.
    /// </summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="IOException">The place cannot be written to, or the disk is full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path), folder = Path.GetDirectoryName(full) ?? full;
        // Renaming would put a file in a device's place.
        bool device = full.StartsWith(DeviceFolder, StringComparison.Ordinal)
            && !full.StartsWith(SharedMemory, StringComparison.Ordinal);
        string temporary = device ? full : Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}{TemporaryEnding}");
        try
        {
            Directory.CreateDirectory(folder);
            using (var stream = new FileStream(temporary, device ? FileMode.Open : FileMode.CreateNew,
                FileAccess.Write, FileShare.None, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: !device);
            }
            if (!device)
                File.Move(temporary, full, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException || OutgrowsItsLimit(e))
        {
            string reason = OutgrowsItsLimit(e) ? "it grows over the largest size that a file may have (ulimit -f, or the file system)"
                : e.Message.TrimEnd('.');
            throw new IOException($"{path}: cannot be written: {reason}; choose a folder with room that you may write to", e);
        }
        finally
        {
            // After the rename there is nothing under this name, and deleting nothing is no error. A folder that could
            // not be made or written to has nothing to delete either.
            if (!device && File.Exists(temporary))
                File.Delete(temporary);
        }
    }

    /// <summary>Removes what a program that was killed left half-written in a folder; nobody else may be writing there.</summary>
    /// <param name="folder">The folder; those below it are left alone.</param>
    public static void RemoveLeftovers(string folder)
    {
        foreach (string file in Directory.GetFiles(folder, $".*{TemporaryEnding}"))
            if (Guid.TryParseExact(Path.GetExtension(file[..^TemporaryEnding.Length]).TrimStart('.'), "N", out _))
                File.Delete(file);
    }

    // .NET's way of reporting EFBIG, which it takes for a length that the caller asked for.
    private static bool OutgrowsItsLimit(Exception failure) => failure is ArgumentOutOfRangeException { ParamName: "value", ActualValue: null };
}
