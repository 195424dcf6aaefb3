using Cliper.Model.Images;
using Cliper.Model.IO;
using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>Walks class folders.</summary>
internal static class Folders
{
    private const int MostWrappers = 4;

    /// <summary>Sub-folders in order of their names; hidden ones and what archivers leave are passed over.</summary>
    public static string[] Of(string path) =>
        [.. Directory.EnumerateDirectories(path)
            .Where(folder => !IsIgnored(Path.GetFileName(folder)) && Directory.Exists(folder))
            .Order(StringComparer.Ordinal)];

    /// <summary>Image files of a folder in order of their names; the others are left out with a reason.</summary>
    /// <exception cref="OperationCanceledException">The reading was canceled.</exception>
    public static string[] Images(string path, DataSetOptions options) =>
        [.. options.Findings.Folder(path, options).Files(path)];

    /// <summary>The split folders of a data set; null when there is no training folder.</summary>
    public static Dictionary<string, string>? Splits(string path)
    {
        string[] folders = Of(path);
        Dictionary<string, string> splits = Named(path, folders.Select(folder =>
            (SplitNames.Of(Path.GetFileName(folder)), folder)));
        if (splits.ContainsKey("train"))
            return splits;
        // Names that differ in the split alone, such as mine_train and mine_test, are splits too.
        return folders.Select(folder => (Name: SplitNames.Find(Path.GetFileName(folder)), folder))
            .Where(entry => entry.Name is not null).GroupBy(entry => entry.Name!.Value.Others)
            .Where(group => group.Count() > 1 && group.Any(entry => entry.Name!.Value.Split == "train"))
            .Select(group => Named(path, group.Select(entry => ((string?)entry.Name!.Value.Split, entry.folder))))
            .FirstOrDefault(named => named.Count > 1);
    }

    /// <summary>The folder below <paramref name="path"/> that holds the splits or classes: one folder around everything
    /// ("images", or what an archive is named) is gone into.</summary>
    public static string Unwrapped(string path)
    {
        path = Path.TrimEndingDirectorySeparator(path);
        for (int i = 0; i < MostWrappers && Directory.Exists(path) && Splits(path) is null; i++)
        {
            string[] folders = Of(path);
            // A flat folder of annotations beside the data is none of its classes.
            string[] data = [.. folders.Where(folder =>
                !SplitNames.IsContainer(Path.GetFileName(folder)) || Of(folder).Length > 0)];
            string[] inner = data is [var only] && IsWrapper(only) ? data
                : [.. folders.Where(folder =>
                    SplitNames.HoldsImages(Path.GetFileName(folder)) && Splits(folder) != null)];
            if (inner is not [var next])
                break;
            path = next;
        }
        return path;

        static bool IsWrapper(string folder) => SplitNames.Of(Path.GetFileName(folder)) is null
            && !Expressions.IsKnown(Path.GetFileName(folder)) && Of(folder).Length > 0;
    }

    /// <summary>The folder of a split that holds the class folders: a folder around them all, such as "images", is gone
    /// into.</summary>
    public static string ClassRoot(string split) => Of(split) is [var around]
        && SplitNames.IsContainer(Path.GetFileName(around)) && Of(around).Length > 0 ? around : split;

    /// <summary>Reads split folders, or one set of class folders.</summary>
    public static RawSplits Read(string path, DataSetOptions options, Func<string, IReadOnlyList<RawSample>> read)
    {
        if (!Directory.Exists(path))
            throw new InputException($"{path}: a file, expected a folder");
        path = Path.TrimEndingDirectorySeparator(path);
        string root = Unwrapped(path);
        for (string inner = root; inner != path; inner = Path.GetDirectoryName(inner)!)
            LeaveOutOthers(Path.GetDirectoryName(inner)!, [inner], "beside the folder that holds the data", options);
        if (Splits(root) is not { } splits)
        {
            string[] folders = Of(root);
            if (folders.Length > 0 && folders.All(folder => SplitNames.Of(Path.GetFileName(folder)) != null))
                throw new InputException(
                    $"{root}: no train folder beside {string.Join(", ", folders.Select(Path.GetFileName))}; "
                    + $"to evaluate, give the folder of one split, such as {folders[0]}");
            return new RawSplits(read(root), null, null);
        }
        options.Findings.Splits = splits.Values;
        LeaveOutOthers(root, splits.Values, "beside the folders of the splits", options);
        return new RawSplits(read(splits["train"]),
            splits.TryGetValue("validation", out string? validation) ? read(validation) : null,
            splits.TryGetValue("test", out string? test) ? read(test) : null);
    }

    private static Dictionary<string, string> Named(string path, IEnumerable<(string? Split, string Folder)> folders)
    {
        var splits = new Dictionary<string, string>();
        foreach ((string? split, string folder) in folders)
            if (split is not null && !splits.TryAdd(split, folder))
                throw new InputException(
                    $"{path}: both {Path.GetFileName(splits[split])} and {Path.GetFileName(folder)} hold a {split} "
                    + "split; remove one");
        return splits;
    }

    /// <summary>Leaves out all sub-folders but those given, and all files.</summary>
    private static void LeaveOutOthers(string path, IReadOnlyCollection<string> kept, string reason,
        DataSetOptions options)
    {
        foreach (string folder in Of(path).Except(kept))
            options.Findings.LeaveOut(folder, reason);
        foreach (string image in Images(path, options))
            options.Findings.LeaveOut(image, reason);
    }

    /// <summary>The class folders of a split, each with a sample for every image.</summary>
    /// <param name="root">Folder of the split.</param>
    /// <param name="samples">Samples of one class folder.</param>
    /// <param name="options">Receives what is left out.</param>
    /// <param name="className">The class that a folder's name means.</param>
    public static IReadOnlyList<RawSample> Classes(string root, Func<string, string, IEnumerable<RawSample>> samples,
        DataSetOptions options, Func<string, string>? className = null)
    {
        string[] folders = Of(ClassRoot(root));
        if (folders.Length == 0)
            throw new InputException(
                $"{root}: no class folders; expected a folder for each class, found {Folders.Describe(root)}");
        LeaveOutOthers(Path.GetDirectoryName(folders[0])!, folders, "beside the folders of the classes", options);
        PictureFolder reader = options.Findings.Folder(root, options);
        var all = new List<RawSample>();
        foreach (string folder in reader.Folders(Path.GetDirectoryName(folders[0])!))
        {
            if (RunMark.IsOn(folder))
            {
                options.Findings.LeaveOut(folder, "the folder of a run");
                continue;
            }
            string name = Path.GetFileName(folder);
            int before = all.Count;
            all.AddRange(samples(folder, className == null ? name : className(name)));
            if (all.Count == before)
                throw new InputException(
                    $"{folder}: the class folder has no pictures (found {Folders.Describe(folder)}); add some or "
                    + "remove the folder");
        }
        return all;
    }

    /// <summary>Lists the first entries of a folder, for an error.</summary>
    public static string Describe(string path)
    {
        const int Shown = 8;
        if (!Directory.Exists(path))
            return $"a file {Path.GetFileName(path)}";
        string[] entries =
        [
            .. Directory.EnumerateFileSystemEntries(path)
                .Select(entry => Directory.Exists(entry) ? Path.GetFileName(entry) + "/" : Path.GetFileName(entry))
                .Order(StringComparer.Ordinal).Take(Shown + 1),
        ];
        return entries.Length == 0 ? "nothing"
            : string.Join(", ", entries.Take(Shown)) + (entries.Length > Shown ? ", …" : "");
    }

    private static bool IsIgnored(string name) => name.StartsWith('.') || name == "__MACOSX";
}
