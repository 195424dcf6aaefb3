using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Cliper.Model.IO;

/// <summary>Calls of Unix that .NET has no name for.</summary>
internal static partial class UnixFile
{
    // O_CLOEXEC has another number on every system; the descriptors live for an instant.
    private const int ReadOnly = 0;

    /// <summary>
    /// Flushes a folder's entries to the disk, so that a file that was renamed into it is still there after a power
    /// cut. Does nothing where the system or the file system knows no such thing.
    /// </summary>
    /// <param name="folder">The folder.</param>
    public static void FlushFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
            return;
        using SafeFileHandle handle = Open(folder, ReadOnly);
        if (!handle.IsInvalid)
            _ = Synchronize(handle);
    }

    /// <summary>The content of a small file that another process holds locked; null where it cannot be read.</summary>
    /// <param name="path">The file.</param>
    public static byte[]? ReadLocked(string path)
    {
        const int Most = 4096;
        try
        {
            // .NET's own way of opening would ask for the lock.
            using SafeFileHandle handle = OperatingSystem.IsWindows()
                ? File.OpenHandle(path, share: FileShare.ReadWrite | FileShare.Delete) : Open(path, ReadOnly);
            if (handle.IsInvalid)
                return null;
            var buffer = new byte[Most];
            return buffer[..RandomAccess.Read(handle, buffer, 0)];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync")]
    private static partial int Synchronize(SafeFileHandle descriptor);
}
