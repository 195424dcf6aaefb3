using System.Collections.Frozen;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.Inference;

/// <summary>From what a person names, files and folders, to samples.</summary>
public static class ImageFiles
{
    private static readonly FrozenSet<string> VideoExtensions = FrozenSet.ToFrozenSet(
        [".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".3gp", ".ts", ".ogv"],
        StringComparer.OrdinalIgnoreCase);

    /// <summary>
    /// The images: files as they are named, folders with all below them that <paramref name="codec"/> can read; each
    /// once, sorted by path (ordinal).
    /// </summary>
    /// <exception cref="InputException">A path does not exist, or a folder has no image.</exception>
    public static IReadOnlyList<Sample> Pictures(IEnumerable<string> paths, IImageCodec? codec = null) =>
        [.. paths.SelectMany(path => Expand(path, codec ?? ImageCodec.Instance)).Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal).Select(file => new Sample(file, 0, [new FileFrame(file)]))];

    /// <summary>The samples with every image cut to its face.</summary>
    /// <param name="samples">The samples.</param>
    /// <param name="crop">Which part of an image.</param>
    /// <param name="found">Receives each image's name and its face as it is read, from several threads; null where
    /// there is none.</param>
    public static IReadOnlyList<Sample> Cut(IReadOnlyList<Sample> samples, FaceCrop crop,
        Action<string, Face?> found) =>
        [.. samples.Select(sample =>
            sample with { Frames = [.. sample.Frames.Select(frame => new FaceFrame(frame, crop, found))] })];

    /// <summary>Whether a path names a file that is taken for a video, by its extension.</summary>
    public static bool IsVideo(string path) => VideoExtensions.Contains(Path.GetExtension(path))
        && !Directory.Exists(path);

    /// <summary>The clips: every folder, the named ones or below them, that has images, its frames sorted by
    /// name.</summary>
    /// <exception cref="InputException">A path is no folder, or there is no image below it.</exception>
    public static IReadOnlyList<Sample> Clips(IEnumerable<string> paths, IImageCodec? codec = null) =>
        [.. paths.SelectMany(path => Directory.Exists(path)
                ? Expand(path, codec ?? ImageCodec.Instance)
                : throw new InputException($"{path}: no such folder; a clip is a folder of its frames"))
            .Distinct(StringComparer.Ordinal)
            .GroupBy(file => Path.GetDirectoryName(file)!).OrderBy(clip => clip.Key, StringComparer.Ordinal)
            .Select(clip => new Sample(clip.Key, 0,
                [.. clip.Order(StringComparer.Ordinal).Select(file => new FileFrame(file))]))];

    private static string[] Expand(string path, IImageCodec codec)
    {
        if (File.Exists(path))
            return [path];
        if (!Directory.Exists(path))
            throw new InputException($"{path}: no such file or folder");
        string[] files;
        try
        {
            files = [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Where(file => codec.CanRead(Path.GetExtension(file)))];
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the folder cannot be read ({failure.Message})", failure);
        }
        return files.Length > 0 ? files : throw new InputException($"{path}: no pictures in this folder or below it");
    }
}
