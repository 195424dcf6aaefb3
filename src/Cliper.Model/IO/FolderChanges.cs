namespace Cliper.Model.IO;

/// <summary>
/// Every change that a run makes to its folder is announced here before it is made: a test looks at the folder as a
/// program would leave it that is killed at that moment.
/// </summary>
internal static class FolderChanges
{
    private static readonly AsyncLocal<Action<string>?> Watcher = new();

    /// <summary>Called before each change that this thread makes, with the file or folder; null for nobody.</summary>
    public static Action<string>? Watch
    {
        get => Watcher.Value;
        set => Watcher.Value = value;
    }

    /// <summary>Says that a file or folder is about to be made, changed, renamed or removed.</summary>
    /// <param name="path">The file or folder.</param>
    public static void Announce(string path) => Watcher.Value?.Invoke(path);

    /// <summary>Removes a file, if it is there.</summary>
    /// <param name="path">The file.</param>
    public static void Remove(string path)
    {
        if (!File.Exists(path))
            return;
        Announce(path);
        File.Delete(path);
    }
}
