using System.Text.RegularExpressions;

namespace Cliper.Model.IO;

/// <summary>
/// The folder in which Hugging Face's programs keep what they have downloaded: models--ORGANIZATION--NAME/ with blobs/
/// (the files by their checksum), snapshots/COMMIT/ (links to them by name) and refs/main (the newest commit). It is
/// HF_HUB_CACHE, or hub/ in HF_HOME, or ~/.cache/huggingface/hub. Nothing here asks the network.
/// </summary>
internal static partial class HuggingFaceCache
{
    internal const string DefaultRevision = "main";

    private const int LongestReference = 100;

    /// <summary>The cache's folder; it need not exist.</summary>
    public static string Root => Variable("HF_HUB_CACHE") ?? Variable("HUGGINGFACE_HUB_CACHE")
        ?? (Variable("HF_HOME") is { } home ? Path.Combine(home, "hub") : null)
        ?? Path.Combine(Variable("XDG_CACHE_HOME") ?? Path.Combine(
            Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"), "huggingface", "hub");

    /// <summary>Whether a text has the form ORGANIZATION/NAME that models have at Hugging Face.</summary>
    public static bool IsModelName(string text) => ModelName().IsMatch(text) && !text.Contains("..");

    /// <summary>The folder of a model within a cache.</summary>
    internal static string FolderOf(string root, string model) =>
        Path.Combine(root, "models--" + model.Replace("/", "--"));

    /// <summary>
    /// Resolves <paramref name="path"/>. A file or folder stays as it is; a model's folder in a cache (models--...) or
    /// a model's name, such as openai/clip-vit-base-patch16, becomes its newest downloaded snapshot.
    /// </summary>
    /// <exception cref="InputException">A model's name that is neither a path nor in the cache, or a cache folder
    /// without a snapshot.</exception>
    public static string Find(string path)
    {
        if (Directory.Exists(path))
            return Directory.Exists(Path.Combine(path, "snapshots")) ? Snapshot(path) : path;
        if (File.Exists(path) || !IsModelName(path))
            return path;
        string folder = FolderOf(Root, path);
        return Directory.Exists(folder) ? Snapshot(folder)
            : throw new InputException(
            $"{path}: no such file or folder, and no model of this name in {Root}; check the path, or "
                + $"get the model: cliper-gpu weights download {path}");
    }

    private static string Snapshot(string folder)
    {
        string reference = Path.Combine(folder, "refs", DefaultRevision);
        if (File.Exists(reference))
        {
            byte[] bytes = JsonInput.ReadBytes(reference, LongestReference);
            string commit = System.Text.Encoding.ASCII.GetString(bytes).Trim();
            if (Commit().IsMatch(commit) && Path.Combine(folder, "snapshots", commit) is var named
                && Directory.Exists(named))
                return named;
        }
        string all = Path.Combine(folder, "snapshots");
        string[] snapshots = Directory.Exists(all) ? Directory.GetDirectories(all) : [];
        return snapshots.Length == 1 ? snapshots[0]
            : throw new InputException(
                $"{folder}: refs/{DefaultRevision} names none of the {snapshots.Length} snapshots; name one's "
                + "folder, or download the model anew");
    }

    private static string? Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;

    [GeneratedRegex(@"^[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}\z")]
    private static partial Regex ModelName();

    /// <summary>A commit's name, which becomes a folder's.</summary>
    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    internal static partial Regex Commit();
}
