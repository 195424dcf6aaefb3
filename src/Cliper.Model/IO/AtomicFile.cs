namespace Cliper.Model.IO;

/// <summary>Writes files that are there whole or not at all.</summary>
public static class AtomicFile
{
    private const string TemporaryEnding = ".tmp";

    // Linux follows as many.
    private const int MostLinks = 40;

    // Shared memory is a folder of ordinary files among the devices.
    private const string DeviceFolder = "/dev/", SharedMemory = "/dev/shm/";

    /// <summary>
    /// Writes a file under a temporary name in its folder (made when missing), flushes it to the disk and renames it;
    /// the folder is flushed then, so that the rename outlives a power cut. When writing fails, what was there before
    /// stays and the temporary file is removed. A file that is replaced keeps its permissions, and a symbolic link its
    /// place: the file that it leads to is replaced. A device (/dev/...) is written to as it is.
    /// </summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="IOException">The place cannot be written to, or the disk is full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        string temporary = "";
        try
        {
            string full = Resolve(path);
            // Renaming would put a file in a device's place.
            if (IsDevice(full))
            {
                using var device = new FileStream(full, FileMode.Open, FileAccess.Write, FileShare.None, 1 << 16);
                write(device);
                device.Flush();
                return;
            }
            string folder = Path.GetDirectoryName(full) ?? full;
            if (!Directory.Exists(folder))
            {
                FolderChanges.Announce(folder);
                Directory.CreateDirectory(folder);
            }
            FolderChanges.Announce(full);
            temporary = Path.Combine(folder, $".{Path.GetFileName(full)}.{Guid.NewGuid():N}{TemporaryEnding}");
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None,
                1 << 16))
            {
                write(stream);
                KeepMode(full, temporary);
                stream.Flush(flushToDisk: true);
            }
            FolderChanges.Announce(full);
            File.Move(temporary, full, overwrite: true);
            UnixFile.FlushFolder(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException || OutgrowsItsLimit(e))
        {
            throw Named(path, e);
        }
        finally
        {
            // After the rename there is nothing under this name, and deleting nothing is no error. A folder that could
            // not be made or written to has nothing to delete either.
            if (File.Exists(temporary))
                File.Delete(temporary);
        }
    }

    private static void KeepMode(string replaced, string by)
    {
        if (!OperatingSystem.IsWindows() && File.Exists(replaced))
            File.SetUnixFileMode(by, File.GetUnixFileMode(replaced));
    }

    /// <summary>
    /// Throws what <see cref="Write"/> would throw of the place, before the work whose result is to be written there.
    /// Leaves nothing behind.
    /// </summary>
    /// <param name="path">The file that is to be written.</param>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    public static void Check(string path)
    {
        try
        {
            string full = Resolve(path);
            if (IsDevice(full))
            {
                using FileStream device = new(full, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                return;
            }
            // Folders that are missing are made where the first one is that is there.
            string folder = full;
            do
                folder = Path.GetDirectoryName(folder)!;
            while (!Path.Exists(folder));
            string trial = Path.Combine(folder, $".{Guid.NewGuid():N}{TemporaryEnding}");
            using (new FileStream(trial, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1,
                FileOptions.DeleteOnClose))
            {
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw Named(path, e);
        }
    }

    /// <summary>
    /// Removes what a program that was killed left half-written in a folder; nobody else may be writing there.
    /// </summary>
    /// <param name="folder">The folder; those below it are left alone.</param>
    public static void RemoveLeftovers(string folder)
    {
        foreach (string file in Directory.Exists(folder) ? Directory.GetFiles(folder, $".*{TemporaryEnding}") : [])
            if (Guid.TryParseExact(Path.GetExtension(file[..^TemporaryEnding.Length]).TrimStart('.'), "N", out _))
                FolderChanges.Remove(file);
    }

    /// <summary>
    /// The file that a path leads to. A device ends the way: /dev/stdout is a link to /proc/self/fd/1, and that of a
    /// pipe leads to a name that is no file's.
    /// </summary>
    private static string Resolve(string path)
    {
        string full = Path.GetFullPath(path);
        if (Directory.Exists(full))
            throw new IOException("it is a folder");
        for (int links = 0; !IsDevice(full) && new FileInfo(full).LinkTarget is not null; links++)
        {
            if (links == MostLinks)
                throw new IOException($"more than {MostLinks} links follow one another");
            full = File.ResolveLinkTarget(full, returnFinalTarget: false)!.FullName;
        }
        return full;
    }

    private static bool IsDevice(string full) =>
        full.StartsWith(DeviceFolder, StringComparison.Ordinal)
        && !full.StartsWith(SharedMemory, StringComparison.Ordinal);

    private static IOException Named(string path, Exception failure)
    {
        string reason = OutgrowsItsLimit(failure)
            ? "it grows over the largest size that a file may have (ulimit -f, or the file system)"
            : failure.Message.TrimEnd('.');
        return new IOException($"{path}: cannot be written: {reason}; choose a folder with room that you may write to",
            failure);
    }

    // .NET's way of reporting EFBIG, which it takes for a length that the caller asked for.
    private static bool OutgrowsItsLimit(Exception failure) =>
        failure is ArgumentOutOfRangeException { ParamName: "value", ActualValue: null };
}
