using System.Collections.Frozen;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>From what a person names, files and folders, to samples.</summary>
public static class ImageFiles
{
    private static readonly FrozenSet<string> VideoExtensions = FrozenSet.ToFrozenSet(
        [".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".ogv",
            ".mts", ".m2ts", ".vob", ".dv", ".mxf", ".h264", ".hevc"],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The images: files as they are named, folders with all images below them; each once, sorted by path (ordinal).
    /// </summary>
    /// <param name="paths">Files and folders.</param>
    /// <param name="leftOut">Receives each path in a folder that is left out, and the reason.</param>
    /// <exception cref="InputException">A path does not exist, or a folder has no image.</exception>
    public static IReadOnlyList<Sample> Pictures(IEnumerable<string> paths, Action<string, string>? leftOut = null) =>
        [.. Expand(paths, leftOut).Select(file => new Sample(file, 0, [new FileFrame(file)]))];

    /// <summary>The samples with every image cut to its face.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="crop">Which part of an image.</param>
    /// <param name="found">Receives each image's name and its face as it is read, from several threads; null where
    /// there is none.</param>
    public static IReadOnlyList<Sample> Cut(IReadOnlyList<Sample> samples, FaceCrop crop,
        Action<string, Face?> found) =>
        [.. samples.Select(sample =>
            sample with { Frames = [.. sample.Frames.Select(frame => new FaceFrame(frame, crop, found))] })];

    /// <summary>
    /// Whether a path names a file that is taken for a video: by its first bytes, and where these say nothing by its
    /// ending. What is named like an image is none.
    /// </summary>
    public static bool IsVideo(string path)
    {
        if (FileEntry.Of(path).Kind != EntryKind.File || ImageCodec.Instance.CanRead(Path.GetExtension(path)))
            return VideoExtensions.Contains(Path.GetExtension(path)) && !Directory.Exists(path);
        try
        {
            byte[] head = ImageSignature.HeadOf(path);
            return ImageSignature.IsVideo(head)
                || VideoExtensions.Contains(Path.GetExtension(path)) && !ImageSignature.IsPicture(head);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the file cannot be read ({failure.Message})", failure);
        }
    }

    /// <summary>The clips: every folder, the named ones or below them, that has images, its frames sorted by
    /// name.</summary>
    /// <param name="paths">Folders.</param>
    /// <param name="leftOut">Receives each path in a folder that is left out, and the reason.</param>
    /// <exception cref="InputException">A path is no folder, or there is no image below it.</exception>
    public static IReadOnlyList<Sample> Clips(IEnumerable<string> paths, Action<string, string>? leftOut = null) =>
        [.. Expand(paths.Select(path => Directory.Exists(path) ? path
                : throw new InputException($"{path}: no such folder; a clip is a folder of its frames")), leftOut)
            .GroupBy(file => Path.GetDirectoryName(file)!).OrderBy(clip => clip.Key, StringComparer.Ordinal)
            .Select(clip => new Sample(clip.Key, 0,
                [.. clip.Order(StringComparer.Ordinal).Select(file => new FileFrame(file))]))];

    /// <summary>Files of the paths, in order; one in a folder that another path leads to as well comes once.</summary>
    private static IEnumerable<string> Expand(IEnumerable<string> paths, Action<string, string>? leftOut)
    {
        var seen = new Dictionary<string, string>();
        var files = new List<string>();
        // A file that is named itself is answered under that name, and comes before what folders hold.
        foreach (string path in paths.Distinct(StringComparer.Ordinal).OrderBy(Directory.Exists))
            foreach (string file in Expand(path, leftOut ?? ((_, _) => { })))
            {
                string identity = FileEntry.Of(file).Identity ?? Path.GetFullPath(file);
                if (seen.TryAdd(identity, file) || file == path)
                    files.Add(file);
                else if (Path.GetFullPath(seen[identity]) != Path.GetFullPath(file))
                    leftOut?.Invoke(file, $"the same file as {seen[identity]}");
            }
        return files.Order(StringComparer.Ordinal);
    }

    private static IReadOnlyList<string> Expand(string path, Action<string, string> leftOut)
    {
        if (File.Exists(path))
            return [path];
        if (!Directory.Exists(path))
            throw new InputException($"{path}: no such file or folder"
                + (path.Contains(FileEntry.NotUtf8) ? "; a name that is not UTF-8 text has to be changed first" : ""));
        var reasons = new List<(string Path, string Reason)>();
        IReadOnlyList<string> files;
        try
        {
            files = new PictureFolder(path, ImageCodec.Instance, (file, reason) => reasons.Add((file, reason)))
                .Below(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the folder cannot be read ({failure.Message})", failure);
        }
        if (files.Count == 0)
            throw new InputException($"{path}: no pictures in this folder or below it" + (reasons.Count == 0 ? ""
                : $"; {reasons.Count} left out, the first: {Path.GetRelativePath(path, reasons[0].Path)}: "
                + reasons[0].Reason));
        foreach ((string file, string reason) in reasons)
            leftOut(file, reason);
        return files;
    }
}
