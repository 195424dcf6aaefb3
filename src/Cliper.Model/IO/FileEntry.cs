using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Cliper.Model.IO;

/// <summary>Kinds of what a path leads to.</summary>
internal enum EntryKind
{
    /// <summary>A regular file.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A FIFO, a socket or a device: reading it may never end. Only Linux tells it.</summary>
    Special,

    /// <summary>Nothing: a link whose target is not there, or a name that cannot be written in UTF-8.</summary>
    Missing,
}

/// <summary>An entry of a folder.</summary>
/// <param name="Path">Its path.</param>
/// <param name="Kind">Kind of what it leads to, links followed.</param>
/// <param name="IsLink">Whether it is a symbolic link.</param>
/// <param name="Identity">Device and inode of what it leads to, or where the system does not tell them the real path of
/// a folder and of a link's target; null where there is neither.</param>
internal readonly partial record struct FileEntry(string Path, EntryKind Kind, bool IsLink, string? Identity)
{
    /// <summary>The character that .NET puts in a name for bytes that are not UTF-8.</summary>
    public const char NotUtf8 = '\uFFFD';

    // Linux: include/uapi/linux/stat.h and fcntl.h, the same on every architecture.
    private const int CurrentFolder = -100, NoFollow = 0x100, BasicStats = 0x7FF, StructBytes = 256;
    private const int ModeAt = 28, InodeAt = 32, DeviceAt = 136;
    private const int TypeMask = 0xF000, LinkType = 0xA000, FolderType = 0x4000, FileType = 0x8000;
    private const int MostLinks = 40;

    /// <summary>Whether the name has bytes that are not UTF-8, so that the path does not lead to the file.</summary>
    public bool IsNotUtf8 => Kind == EntryKind.Missing && Path.Contains(NotUtf8);

    /// <summary>Entries of a folder in order of their names (ordinal).</summary>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The folder may not be read.</exception>
    public static FileEntry[] In(string folder) =>
        [.. Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal).Select(Of)];

    /// <summary>The entry at a path.</summary>
    public static FileEntry Of(string path) => OperatingSystem.IsLinux() ? OfLinux(path) : OfAny(path);

    /// <summary>The path without links, "." and "..".</summary>
    /// <exception cref="IOException">More links follow one another than the system allows.</exception>
    public static string RealPath(string path)
    {
        string current = System.IO.Path.GetPathRoot(System.IO.Path.GetFullPath(path))!;
        var rest = new Stack<string>();
        Push(System.IO.Path.GetFullPath(path)[current.Length..]);
        for (int links = 0; rest.TryPop(out string? part);)
        {
            if (part == "..")
            {
                current = System.IO.Path.GetDirectoryName(current) ?? current;
                continue;
            }
            string next = System.IO.Path.Combine(current, part);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                current = next;
                continue;
            }
            if (++links > MostLinks)
                throw new IOException($"{path}: more than {MostLinks} links follow one another");
            if (System.IO.Path.IsPathRooted(target))
                current = System.IO.Path.GetPathRoot(target)!;
            Push(System.IO.Path.IsPathRooted(target) ? target[current.Length..] : target);
        }
        return current;

        void Push(string relative)
        {
            string[] parts = relative.Split(System.IO.Path.DirectorySeparatorChar,
                StringSplitOptions.RemoveEmptyEntries);
            foreach (string part in parts.Where(part => part != ".").Reverse())
                rest.Push(part);
        }
    }

    /// <summary>Whether a path is a folder or below it; both without links.</summary>
    public static bool IsWithin(string path, string folder) =>
        path == folder || path.StartsWith(System.IO.Path.TrimEndingDirectorySeparator(folder)
        + System.IO.Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static FileEntry OfLinux(string path)
    {
        Span<byte> stats = stackalloc byte[StructBytes];
        if (!Stat(path, NoFollow, stats))
            return new FileEntry(path, EntryKind.Missing, false, null);
        bool isLink = (Mode(stats) & TypeMask) == LinkType;
        if (isLink && !Stat(path, 0, stats))
            return new FileEntry(path, EntryKind.Missing, true, null);
        EntryKind kind = (Mode(stats) & TypeMask) switch
        {
            FileType => EntryKind.File,
            FolderType => EntryKind.Folder,
            _ => EntryKind.Special,
        };
        return new FileEntry(path, kind, isLink, string.Create(CultureInfo.InvariantCulture,
            $"{BinaryPrimitives.ReadUInt64LittleEndian(stats[DeviceAt..])}:"
            + $"{BinaryPrimitives.ReadUInt64LittleEndian(stats[InodeAt..])}"));

        static int Mode(ReadOnlySpan<byte> stats) => BinaryPrimitives.ReadUInt16LittleEndian(stats[ModeAt..]);
    }

    private static FileEntry OfAny(string path)
    {
        bool isFolder = Directory.Exists(path), isLink = new FileInfo(path).LinkTarget is not null;
        return new FileEntry(path, isFolder ? EntryKind.Folder : File.Exists(path) ? EntryKind.File : EntryKind.Missing,
            isLink, isFolder || isLink ? RealPath(path) : null);
    }

    private static unsafe bool Stat(string path, int flags, Span<byte> stats)
    {
        fixed (byte* buffer = stats)
            return Statx(CurrentFolder, path, flags, BasicStats, buffer) == 0;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int Statx(int folder, string path, int flags, uint mask, byte* stats);
}
