namespace Cliper.Model.IO;

/// <summary>
/// Refuses what is no regular file before it is opened, on Linux: opening a FIFO waits for a writer, and reading a
/// device may never end. Other systems do not tell .NET what a path leads to, and there nothing is refused.
/// </summary>
public static class RegularFile
{
    /// <summary>Throws where a path leads to a FIFO, a socket or a device; a path that leads nowhere passes.</summary>
    /// <exception cref="InputException">It leads to such a thing, and the system is Linux.</exception>
    public static void Require(string path)
    {
        if (FileEntry.Of(path).Kind == EntryKind.Special)
            throw new InputException($"{path}: a FIFO, a socket or a device, which may never end; give a regular file");
    }

    /// <summary>All bytes of a file.</summary>
    /// <exception cref="InputException">It is no regular file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static byte[] ReadBytes(string path)
    {
        Require(path);
        return File.ReadAllBytes(path);
    }

    /// <summary>All text of a file.</summary>
    /// <exception cref="InputException">It is no regular file.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static string ReadText(string path)
    {
        Require(path);
        return File.ReadAllText(path);
    }
}
