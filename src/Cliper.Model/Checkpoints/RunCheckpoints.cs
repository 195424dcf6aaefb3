using System.Globalization;
using Cliper.Autograd.Optimizers;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

/// <summary>The files of a run's checkpoints/ folder, and the vocabulary beside it.</summary>
internal sealed class RunCheckpoints
{
    private const string FolderName = "checkpoints";
    private const string ModelName = "model.safetensors";
    private const string LastName = "last.safetensors";
    private const string BestName = "best.safetensors";
    private const string TokenizerName = "tokenizer";

    private readonly string _run;
    private readonly string _folder;
    private readonly string _tokenizer;

    public RunCheckpoints(string run)
    {
        _run = run;
        _folder = Path.Combine(run, FolderName);
        _tokenizer = Path.Combine(run, TokenizerName);
    }

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

    /// <summary>State of the run: model, optimizer state, place.</summary>
    public string LastPath => Path.Combine(_folder, LastName);

    /// <summary>The best model so far, where one is selected.</summary>
    public string BestPath => Path.Combine(_folder, BestName);

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

    public void SaveModel(CliperModel model, CheckpointInfo info) =>
        Checkpoint.Save(Path.Combine(_folder, ModelName), model, info);

    public void SaveBest(CliperModel model, CheckpointInfo info) => Checkpoint.Save(BestPath, model, info);

    public void SaveLast(CliperModel model, CheckpointInfo info, TrainingState state, IOptimizer? optimizer,
        WeightAverage? average = null) =>
        Checkpoint.Save(LastPath, model, info, TensorType.F32, new ResumeState(state, optimizer, average));

    public Checkpoint.CheckpointReader OpenLast() => File.Exists(LastPath)
        ? new Checkpoint.CheckpointReader(LastPath)
        : throw new InputException($"{LastPath}: no such file: the run has not reached its first checkpoint")
        { Remedy = Remedy.RestartRun };

    /// <summary>Writes the CLIP alone, as fp16 weights that bring their vocabulary. Returns the path.</summary>
    public string SaveClip(ClipModel clip, ClipTokenizer tokenizer)
    {
        string path = Path.Combine(_run, "clip.safetensors");
        var metadata = new Dictionary<string, string>();
        tokenizer.Vocabulary.AddTo(metadata);
        ClipWeights.From(clip).Save(path, type: TensorType.F16, metadata: metadata);
        return path;
    }

    public void SaveTokenizer(ClipTokenizer tokenizer) => tokenizer.Vocabulary.Save(_tokenizer);

    public ClipTokenizer LoadTokenizer() => ClipTokenizer.Load(_tokenizer);
}
