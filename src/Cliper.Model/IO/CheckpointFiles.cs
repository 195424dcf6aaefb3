using System.Globalization;

namespace Cliper.Model.IO;

/// <summary>Which files of checkpoints and vocabulary a run's folder has, and which of them is its model.</summary>
internal static class CheckpointFiles
{
    /// <summary>The folder of the checkpoints, within a run's.</summary>
    public const string FolderName = "checkpoints";

    /// <summary>The finished model.</summary>
    public const string ModelName = "model.safetensors";

    /// <summary>The state to go on from.</summary>
    public const string LastName = "last.safetensors";

    /// <summary>The best model so far, where one is selected.</summary>
    public const string BestName = "best.safetensors";

    /// <summary>The folder of the vocabulary, within a run's.</summary>
    public const string TokenizerName = "tokenizer";

    /// <summary>
    /// The settings of a run that is just beginning, in the place of another perhaps. While this file is there, no
    /// other file of the folder counts.
    /// </summary>
    /// <param name="run">The run's folder.</param>
    public static string BeginningPath(string run) => Path.Combine(run, "config.next.json");

    /// <summary>The checkpoints and the files of the vocabulary that are in a run's folder.</summary>
    /// <param name="run">The run's folder.</param>
    public static IEnumerable<string> FilesIn(string run)
    {
        string tokenizer = Path.Combine(run, TokenizerName);
        return new[] { ModelName, BestName, LastName }.Select(name => Path.Combine(run, FolderName, name))
            .Where(File.Exists).Concat(Directory.Exists(tokenizer) ? Directory.GetFiles(tokenizer) : []);
    }

    /// <summary>Removes half-written checkpoints.</summary>
    /// <param name="run">The run's folder.</param>
    public static void RemoveLeftovers(string run) => AtomicFile.RemoveLeftovers(Path.Combine(run, FolderName));

    /// <summary>Name of the folder of a fold's run, within the folder of a run over all folds.</summary>
    /// <param name="fold">Number of the fold, from 1.</param>
    public static string FoldName(int fold) => string.Create(CultureInfo.InvariantCulture, $"fold{fold}");

    /// <summary>The model of a finished run, or the last state of an unfinished one.</summary>
    /// <exception cref="InputException">Neither is there.</exception>
    public static string Find(string run)
    {
        if (File.Exists(BeginningPath(run)))
            throw new InputException($"{run}: holds a run that has begun and has no checkpoint yet")
            { Remedy = Remedy.ResumeRun };
        foreach (string name in new[] { ModelName, LastName })
            if (File.Exists(Path.Combine(run, FolderName, name)))
                return Path.Combine(run, FolderName, name);
        if (Directory.Exists(Path.Combine(run, FoldName(1))))
            throw new InputException(
                $"{run}: holds a run for each fold: name one, such as {Path.Combine(run, FoldName(1))}");
        throw new InputException($"{run}: holds no {FolderName}/{ModelName} nor {FolderName}/{LastName}")
        { Remedy = Remedy.GiveRunFolder };
    }

    /// <summary>Whether a run in <paramref name="run"/> has a state to go on from.</summary>
    public static bool HasLast(string run) => !File.Exists(BeginningPath(run))
        && File.Exists(Path.Combine(run, FolderName, LastName));

    /// <summary>Whether a run in <paramref name="run"/> has written no checkpoint at all.</summary>
    public static bool HasNone(string run) => File.Exists(BeginningPath(run))
        || !new[] { ModelName, BestName, LastName }.Any(name => File.Exists(Path.Combine(run, FolderName, name)));
}
