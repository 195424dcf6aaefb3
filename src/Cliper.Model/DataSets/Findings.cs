using Cliper.Model.Images;
using Cliper.Model.IO;

namespace Cliper.Model.DataSets;

/// <summary>An entry of a folder that is no part of the data.</summary>
/// <param name="File">Its path.</param>
/// <param name="Reason">Why it is left out.</param>
public sealed record LeftOut(string File, string Reason);

/// <summary>Collects what the reading of a data set leaves out, and finds the images in its folders.</summary>
internal sealed class Findings
{
    private readonly SortedDictionary<string, string> _leftOut = new(StringComparer.Ordinal);
    private readonly Dictionary<string, PictureFolder> _folders = [];

    /// <summary>Folders of the splits; a folder of one that is linked into another stays where it is.</summary>
    public IReadOnlyCollection<string> Splits { get; set; } = [];

    /// <summary>Everything that was left out, by path.</summary>
    public IReadOnlyList<LeftOut> LeftOut => [.. _leftOut.Select(entry => new LeftOut(entry.Key, entry.Value))];

    /// <summary>Leaves an entry out; the first reason stays.</summary>
    public void LeaveOut(string path, string reason) => _leftOut.TryAdd(path, reason);

    /// <summary>The images below <paramref name="root"/>; asked again, it remembers which it has met.</summary>
    public PictureFolder Folder(string root, DataSetOptions options)
    {
        if (!_folders.TryGetValue(root, out PictureFolder? folder))
            _folders.Add(root, folder = new PictureFolder(root, options.Codec, LeaveOut, options.Cancellation)
            {
                Others = [.. Splits.Where(split => split != root).Select(FileEntry.RealPath)],
            });
        return folder;
    }
}
