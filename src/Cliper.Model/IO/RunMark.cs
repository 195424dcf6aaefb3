namespace Cliper.Model.IO;

/// <summary>Tells the folder of a run from other folders, such as one that a user puts among the data.</summary>
internal static class RunMark
{
    /// <summary>The file that a program which works in the folder holds locked.</summary>
    public const string Lock = ".lock";

    private const string Config = "config.json";

    /// <summary>Whether a folder is a run's, or about to become one.</summary>
    public static bool IsOn(string folder) => File.Exists(Path.Combine(folder, Lock))
        || File.Exists(Path.Combine(folder, Config))
            && Directory.Exists(Path.Combine(folder, CheckpointFiles.FolderName));
}
