using Cliper.Model.Samples;
using Cliper.Model.Video;

namespace Cliper.Model.DataSets;

/// <summary>Clips that a list names and folders of frames, or video files, hold.</summary>
internal static class ClipFolders
{
    /// <summary>
    /// A sample of the frames in <paramref name="folder"/>; null after reporting that there are none.
    /// </summary>
    public static RawSample? Sample(string name, string className, string folder, string where, DataSetOptions options)
    {
        if (!Directory.Exists(folder))
        {
            options.ReportMissing($"{where}: {folder} does not exist; unpack the clip, or remove the line");
            return null;
        }
        string[] frames = Folders.Images(folder, options);
        if (frames.Length == 0)
        {
            options.ReportMissing(
                $"{where}: {folder} has no frames (found {Folders.Describe(folder)}); unpack the clip again");
            return null;
        }
        return new RawSample(name, className, [.. frames.Select(frame => new FileFrame(frame))], where);
    }

    /// <summary>
    /// A sample of the frames of a video; null after reporting that it is not there or cannot be read.
    /// </summary>
    public static RawSample? VideoSample(string name, string className, string file, string where,
        DataSetOptions options)
    {
        options.Cancellation.ThrowIfCancellationRequested();
        if (!File.Exists(file))
        {
            options.ReportMissing($"{where}: {file} does not exist; unpack the video, or remove the line");
            return null;
        }
        try
        {
            return new RawSample(name, className, new VideoFrames(VideoFile.Open(file)), where);
        }
        catch (InputException failure) when (options.Missing != null)
        {
            options.ReportMissing(failure.Message);
            return null;
        }
    }

    /// <summary>The first of several folders that is there.</summary>
    /// <param name="root">Above them.</param>
    /// <param name="candidates">Which images, and the folder below the root that holds them, in order of
    /// preference.</param>
    /// <param name="wanted">Which are wanted.</param>
    /// <exception cref="InputException">None of those wanted is there.</exception>
    public static (ClipFrames Kind, string Folder) Choose(string root, (ClipFrames Kind, string Folder)[] candidates,
        ClipFrames wanted)
    {
        (ClipFrames Kind, string Folder)[] allowed =
            [.. candidates.Where(candidate => wanted == ClipFrames.Auto || candidate.Kind == wanted)];
        foreach ((ClipFrames kind, string folder) in allowed)
            if (Directory.Exists(Path.Combine(root, folder)))
                return (kind, Path.Combine(root, folder));
        throw new InputException(allowed.Length == 0
            ? $"{root}: this data set has no clips of the kind {wanted}; clipFrames can be "
                + string.Join(", ", candidates.Select(candidate => candidate.Kind).Distinct().Prepend(ClipFrames.Auto))
            : $"{root}: no clips here; expected "
                + $"{string.Join(" or ", allowed.Select(candidate => candidate.Folder + "/"))}, found "
                + $"{Folders.Describe(root)}; unpack them there");
    }

    /// <summary>
    /// The folder that holds <paramref name="inside"/>: <paramref name="path"/> itself, or a single level below it;
    /// null if neither does.
    /// </summary>
    public static string? Root(string path, params string[] inside)
    {
        if (!Directory.Exists(path))
            return null;
        return new[] { path }.Concat(Folders.Of(path)).FirstOrDefault(root =>
            inside.Any(name => Path.Exists(Path.Combine(root, name))));
    }
}
