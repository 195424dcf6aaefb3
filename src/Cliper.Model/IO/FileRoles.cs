namespace Cliper.Model.IO;

/// <summary>
/// The files that a piece of work reads and those that it writes. A file that is both would lose what it holds, and of
/// two outputs in one file the later would replace the earlier: both are refused before the work. Files are compared by
/// what the paths lead to, so that links and other spellings of a path are seen through.
/// </summary>
public sealed class FileRoles
{
    private const string StandardStream = "-";

    private readonly Dictionary<string, (string Role, string Path)> _read = [], _written = [];

    /// <summary>Declares a file that is read; of a folder its files.</summary>
    /// <param name="path">The file or folder; "-", null and what is not there are none.</param>
    /// <param name="role">Name for an error, such as "--weights".</param>
    /// <exception cref="SettingsException">It is written too.</exception>
    public void Read(string? path, string role)
    {
        if (Directory.Exists(path))
        {
            foreach (FileEntry entry in FileEntry.In(path))
                if (entry.Kind == EntryKind.File)
                    Read(entry.Path, role);
            return;
        }
        if (!File.Exists(path) || IdentityOf(path) is not { } identity)
            return;
        _read.TryAdd(identity, (role, path));
        if (_written.TryGetValue(identity, out (string Role, string Path) output))
            throw Overwritten(output, (role, path));
    }

    /// <summary>Declares a file that is written.</summary>
    /// <param name="path">The file; "-" and null are none.</param>
    /// <param name="role">Name for an error, such as "--out".</param>
    /// <exception cref="SettingsException">It is read, or written by another output, too.</exception>
    public void Write(string? path, string role)
    {
        if (path is null or StandardStream || IdentityOf(path) is not { } identity)
            return;
        if (_read.TryGetValue(identity, out (string Role, string Path) input))
            throw Overwritten((role, path), input);
        if (!_written.TryAdd(identity, (role, path)))
            throw new SettingsException($"{role} and {_written[identity].Role} both write {path}: the later would "
                + "replace the earlier; name another file");
    }

    private static SettingsException Overwritten((string Role, string Path) output, (string Role, string Path) input) =>
        new($"{output.Role} {output.Path} would replace {(input.Path == output.Path ? "" : $"{input.Path}, ")}a file "
            + $"that is read ({input.Role}); name another file");

    /// <summary>Identity of the file that a path leads to; null for a device, which keeps nothing.</summary>
    private static string? IdentityOf(string path)
    {
        FileEntry entry = FileEntry.Of(path);
        if (entry.Kind == EntryKind.Special)
            return null;
        // Elsewhere a file system may ignore case, and there every path is compared the same way, a link's target too.
        if (!OperatingSystem.IsLinux())
            return FileEntry.RealPath(path).ToUpperInvariant();
        return entry.Kind != EntryKind.Missing && entry.Identity is { } identity ? identity
            : FileEntry.RealPath(path);
    }
}
