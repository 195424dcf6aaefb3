using Cliper.Model.IO;

namespace Cliper.Model.Images;

/// <summary>
/// Finds the images in folders, each once, and says what it leaves out and why. A name's ending makes a file an image,
/// and so do its first bytes; a link is followed only out of the folder that is searched, because what it leads to
/// inside is read where it stands.
/// </summary>
/// <param name="root">The folder that is searched.</param>
/// <param name="codec">Tells which endings are images.</param>
/// <param name="leftOut">Receives each path that is left out, and the reason.</param>
/// <param name="cancellation">Cancels the search with an <see cref="OperationCanceledException"/>.</param>
internal sealed class PictureFolder(string root, IImageCodec codec, Action<string, string> leftOut,
    CancellationToken cancellation = default)
{
    private const string NotUtf8 = "its name is not UTF-8 text; rename it";

    // Files that systems leave in folders, which nobody takes for a part of the data.
    private static readonly string[] Droppings = [".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX", "@eaDir"];

    private readonly Dictionary<string, string> _seen = [];
    private readonly string _realRoot = FileEntry.RealPath(root);

    /// <summary>Real paths of other folders that are searched on their own: none is searched through a link.</summary>
    public IReadOnlyList<string> Others { get; init; } = [];

    /// <summary>The images directly in a folder, in order of their names.</summary>
    public IEnumerable<string> Files(string folder)
    {
        foreach (FileEntry entry in FileEntry.In(folder))
        {
            cancellation.ThrowIfCancellationRequested();
            if (entry.Kind != EntryKind.Folder && IsPicture(entry))
                yield return entry.Path;
        }
    }

    /// <summary>Sub-folders in order of their names; hidden ones, loops and doubles are left out.</summary>
    public IEnumerable<string> Folders(string folder) =>
        FileEntry.In(folder).Where(entry => entry.Kind == EntryKind.Folder && IsOpen(entry) && IsFirst(entry))
        .Select(entry => entry.Path);

    /// <summary>The images in a folder and below it, sorted by path (ordinal).</summary>
    public IReadOnlyList<string> Below(string folder)
    {
        var found = new List<string>();
        var links = new Queue<FileEntry>();
        // The folder itself, so that no link leads to it again.
        if (FileEntry.Of(folder).Identity is { } own)
            _seen.TryAdd(own, folder);
        Walk(folder, found, links);
        while (links.TryDequeue(out FileEntry link))
            if (link.Kind == EntryKind.Folder ? IsOpen(link) && IsFirst(link) : IsPicture(link) && IsFirst(link))
            {
                if (link.Kind == EntryKind.Folder)
                    Walk(link.Path, found, links);
                else
                    found.Add(link.Path);
            }
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    private void Walk(string folder, List<string> found, Queue<FileEntry> links)
    {
        FileEntry[] entries;
        try
        {
            entries = FileEntry.In(folder);
        }
        catch (Exception failure) when (folder != root && failure is IOException or UnauthorizedAccessException)
        {
            leftOut(folder, $"the folder cannot be read ({failure.Message})");
            return;
        }
        foreach (FileEntry entry in entries)
        {
            cancellation.ThrowIfCancellationRequested();
            if (entry.IsLink)
                links.Enqueue(entry);
            else if (entry.Kind == EntryKind.Folder)
            {
                if (IsOpen(entry) && IsFirst(entry))
                    Walk(entry.Path, found, links);
            }
            else if (IsPicture(entry) && IsFirst(entry))
            {
                found.Add(entry.Path);
            }
        }
    }

    /// <summary>Whether a folder is searched: it is not hidden, and no link back.</summary>
    private bool IsOpen(FileEntry entry) => !IsHidden(entry) && !LeadsBack(entry);

    /// <summary>Whether nothing with the same identity was met before under another name.</summary>
    private bool IsFirst(FileEntry entry)
    {
        if (entry.Identity is not { } identity || _seen.TryAdd(identity, entry.Path) || _seen[identity] == entry.Path)
            return true;
        leftOut(entry.Path, $"the same {(entry.Kind == EntryKind.Folder ? "folder" : "file")} as "
            + Path.GetRelativePath(root, _seen[identity]));
        return false;
    }

    private bool IsPicture(FileEntry entry)
    {
        if (IsHidden(entry) || LeadsBack(entry))
            return false;
        string? reason = entry.Kind switch
        {
            EntryKind.Missing => entry.IsNotUtf8 ? NotUtf8 : entry.IsLink ? "a link to what is not there"
                : "it cannot be read",
            EntryKind.Special => "a FIFO, a socket or a device",
            _ => codec.CanRead(Path.GetExtension(entry.Path)) ? null : ReasonOf(entry.Path),
        };
        if (reason is not null)
            leftOut(entry.Path, reason);
        return reason is null;
    }

    /// <summary>Why a file of an unknown ending is left out; null for an image.</summary>
    private static string? ReasonOf(string path)
    {
        try
        {
            byte[] head = ImageSignature.HeadOf(path);
            return ImageSignature.IsPicture(head) ? null : ImageSignature.Describe(head);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"it cannot be read ({failure.Message})";
        }
    }

    private bool IsHidden(FileEntry entry)
    {
        string name = Path.GetFileName(entry.Path);
        if (Droppings.Contains(name, StringComparer.OrdinalIgnoreCase)
            || name.StartsWith("._", StringComparison.Ordinal))
            return true;
        if (!name.StartsWith('.'))
            return false;
        leftOut(entry.Path, entry.Kind == EntryKind.Folder ? "a hidden folder" : "a hidden file");
        return true;
    }

    /// <summary>Whether a link leads into the folder that is searched, or to one above it.</summary>
    private bool LeadsBack(FileEntry entry)
    {
        if (!entry.IsLink || entry.Kind is EntryKind.Missing)
            return false;
        string target = FileEntry.RealPath(entry.Path);
        bool isAbove = FileEntry.IsWithin(_realRoot, target)
            || FileEntry.IsWithin(FileEntry.RealPath(Path.GetDirectoryName(entry.Path)!), target);
        if (isAbove)
            leftOut(entry.Path, "a link to a folder above it, which makes a loop");
        else if (FileEntry.IsWithin(target, _realRoot))
            leftOut(entry.Path, $"a link to {Path.GetRelativePath(_realRoot, target)}, which is read there");
        else if (entry.Kind == EntryKind.Folder && Others.FirstOrDefault(other =>
            FileEntry.IsWithin(target, other) || FileEntry.IsWithin(other, target)) is { } owner)
            leftOut(entry.Path, $"a link to {target}, which belongs to {Path.GetFileName(owner)}");
        else
            return false;
        return true;
    }
}
