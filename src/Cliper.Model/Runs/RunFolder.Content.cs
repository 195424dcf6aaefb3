using System.Text.RegularExpressions;
using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Settings;

namespace Cliper.Model.Runs;

/// <content>The files that a run has in its folder: whose they are, and which of them a new run removes.</content>
internal sealed partial class RunFolder
{
    /// <summary>Files of a run that stand in its folder, without its settings.</summary>
    private static readonly string[] Files =
        ["result.json", "report.html", "folds.csv", "clip.safetensors", MetricsName, CsvName, .. PredictionsFile.Names];

    /// <summary>The settings of the run in a folder, those of one that is only just beginning first; null where there
    /// is none.</summary>
    /// <param name="path">The folder.</param>
    public static string? FindConfig(string path) =>
        new[] { CheckpointFiles.BeginningPath(path), System.IO.Path.Combine(path, ConfigName) }
            .FirstOrDefault(File.Exists);

    /// <summary>Refuses a folder that holds a run, or whose folds do, and one with files that a run would remove and
    /// that are no run's.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="overwrite">Whether runs may be written over.</param>
    /// <exception cref="SettingsException">It holds one.</exception>
    public static void CheckFree(string path, bool overwrite)
    {
        foreach (string folder in (string[])[path, .. FoldsIn(path)])
            if (!HoldsRun(folder) && OwnFiles(folder).FirstOrDefault() is { } file)
                throw new SettingsException($"{file}: is no run's file, and a run would remove it; choose another "
                    + "folder");
            else if (!overwrite && HoldsRun(folder))
                throw new SettingsException($"{folder}: holds a run already; resume it, or choose another folder");
    }

    /// <summary>Refuses settings whose weights, model or tokenizer are among the files that a new run removes.
    /// </summary>
    /// <param name="path">The run's folder.</param>
    /// <param name="settings">Its settings.</param>
    /// <exception cref="SettingsException">One of them would be removed.</exception>
    /// <exception cref="InputException">The model to begin from is not there.</exception>
    public static void CheckInputs(string path, TrainSettings settings)
    {
        string init = settings.Init.Length > 0 ? Checkpoint.Find(settings.Init) : "";
        CheckKept(path, ("init", init), ("weights", settings.Weights), ("tokenizer", settings.Tokenizer));
    }

    /// <summary>Refuses inputs that are among the files that a new run removes.</summary>
    /// <param name="path">The run's folder.</param>
    /// <param name="inputs">Their roles and paths; what is not there is none.</param>
    /// <exception cref="SettingsException">One of them would be removed.</exception>
    public static void CheckKept(string path, params (string Role, string Path)[] inputs)
    {
        string[] folds = [.. FoldsIn(path).Where(HoldsRun)];
        foreach (string file in (string[])[.. OwnFiles(path),
            .. folds.SelectMany(fold => OwnFiles(fold).Append(System.IO.Path.Combine(fold, ConfigName)))])
        {
            var roles = new FileRoles();
            foreach ((string role, string input) in inputs)
                roles.Read(input, role);
            roles.Write(file, "the new run's");
        }
    }

    /// <summary>Removes a run's files, those of its folds too. What else is in the folder stays.</summary>
    private static void Clear(string path)
    {
        foreach (string file in OwnFiles(path))
            FolderChanges.Remove(file);
        CheckpointFiles.RemoveLeftovers(path);
        foreach (string fold in FoldsIn(path).Where(HoldsRun))
        {
            Clear(fold);
            FolderChanges.Remove(System.IO.Path.Combine(fold, ConfigName));
            FolderChanges.Remove(CheckpointFiles.BeginningPath(fold));
        }
        AtomicFile.RemoveLeftovers(path);
    }

    private static bool HoldsRun(string path) =>
        FindConfig(path) is not null || File.Exists(System.IO.Path.Combine(path, MetricsName));

    /// <summary>The files of a run that are in a folder, without its settings and its folds.</summary>
    private static string[] OwnFiles(string path) => !Directory.Exists(path) ? [] :
    [
        .. Files.Select(name => System.IO.Path.Combine(path, name)).Where(File.Exists),
        .. CheckpointFiles.FilesIn(path),
        .. Directory.GetFiles(path, "events.out.tfevents.*.cliper"),
    ];

    /// <summary>The folders of the folds of a run over all folds.</summary>
    /// <param name="path">Folder of that run.</param>
    public static IEnumerable<string> FoldsIn(string path) => Directory.Exists(path)
        ? Directory.GetDirectories(path).Where(fold => FoldName().IsMatch(System.IO.Path.GetFileName(fold))) : [];

    [GeneratedRegex("^fold[1-9][0-9]*$")]
    private static partial Regex FoldName();
}
