namespace Cliper.Model.DataSets;

/// <summary>Walks class folders.</summary>
internal static class Folders
{
    private static readonly string[] TrainNames = ["train", "training"];
    private static readonly string[] ValidationNames = ["validation", "val", "valid"];
    private static readonly string[] TestNames = ["test", "testing"];

    /// <summary>
    /// The split that a folder or list entry of this name means: "train", "validation", "test", or null.
    /// </summary>
    public static string? SplitOf(string name) =>
        TrainNames.Contains(name, StringComparer.OrdinalIgnoreCase) ? "train"
        : ValidationNames.Contains(name, StringComparer.OrdinalIgnoreCase) ? "validation"
        : TestNames.Contains(name, StringComparer.OrdinalIgnoreCase) ? "test"
        : null;

    /// <summary>Sub-folders in order of their names; hidden ones and what archivers leave are passed over.</summary>
    public static string[] Of(string path) =>
        [.. Directory.EnumerateDirectories(path).Where(folder => !IsIgnored(Path.GetFileName(folder)))
        .Order(StringComparer.Ordinal)];

    /// <summary>Image files of a folder in order of their names.</summary>
    /// <exception cref="OperationCanceledException">The reading was canceled.</exception>
    public static string[] Images(string path, DataSetOptions options)
    {
        return [.. Directory.EnumerateFiles(path).Where(IsImage).Order(StringComparer.Ordinal)];

        bool IsImage(string file)
        {
            options.Cancellation.ThrowIfCancellationRequested();
            return options.Codec.CanRead(Path.GetExtension(file)) && !IsIgnored(Path.GetFileName(file));
        }
    }

    /// <summary>The split folders of a data set; null when there is no training folder.</summary>
    public static Dictionary<string, string>? Splits(string path)
    {
        var splits = new Dictionary<string, string>();
        foreach (string folder in Of(path))
            if (SplitOf(Path.GetFileName(folder)) is { } split && !splits.TryAdd(split, folder))
                throw new InputException(
                    $"{path}: both {Path.GetFileName(splits[split])} and {Path.GetFileName(folder)} hold a {split} "
                    + "split; remove one");
        return splits.ContainsKey("train") ? splits : null;
    }

    /// <summary>Reads split folders, or one set of class folders.</summary>
    public static RawSplits Read(string path, Func<string, IReadOnlyList<RawSample>> read)
    {
        if (!Directory.Exists(path))
            throw new InputException($"{path}: a file, expected a folder");
        if (Splits(path) is not { } splits)
        {
            string[] folders = Of(path);
            if (folders.Length > 0 && folders.All(folder => SplitOf(Path.GetFileName(folder)) != null))
                throw new InputException(
                    $"{path}: no train folder beside {string.Join(", ", folders.Select(Path.GetFileName))}; "
                    + $"to evaluate, give the folder of one split, such as {folders[0]}");
            return new RawSplits(read(path), null, null);
        }
        return new RawSplits(read(splits["train"]),
            splits.TryGetValue("validation", out string? validation) ? read(validation) : null,
            splits.TryGetValue("test", out string? test) ? read(test) : null);
    }

    /// <summary>The class folders of a split, each with a sample for every image.</summary>
    /// <param name="root">Folder of the split.</param>
    /// <param name="samples">Samples of one class folder.</param>
    /// <param name="className">The class that a folder's name means.</param>
    public static IReadOnlyList<RawSample> Classes(string root, Func<string, string, IEnumerable<RawSample>> samples,
        Func<string, string>? className = null)
    {
        string[] folders = Of(root);
        if (folders.Length == 0)
            throw new InputException(
                $"{root}: no class folders; expected a folder for each class, found {Folders.Describe(root)}");
        var all = new List<RawSample>();
        foreach (string folder in folders)
        {
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
