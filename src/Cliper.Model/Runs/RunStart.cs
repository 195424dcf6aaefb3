using System.Globalization;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Weights;

namespace Cliper.Model.Runs;

/// <summary>
/// The beginning of a run, or of its continuation: holds the folder, and checks all that can be known before the data
/// is read, which may take hours. Nothing in the folder is changed until <see cref="Open"/>.
/// </summary>
internal sealed class RunStart : IDisposable
{
    /// <summary>Settings that say where things are or how to go about it, and never change a result.</summary>
    private static readonly string[] Free = ["data", "cache", "cacheFolder", "strict", "pretrainOnly"];

    /// <summary>Settings that an unfinished run may change too: what they say of its past stays true.</summary>
    private static readonly string[] FreeOnTheWay = ["evaluateEvery", "terms"];

    private readonly RunLock _held;
    private readonly string _folder;
    private readonly string _config;
    private RunLocks? _folds;
    private TrainingState? _state;

    private RunStart(RunLock held, string folder, string config) => (_held, _folder, _config) = (held, folder, config);

    /// <summary>Whether the run goes on from a checkpoint; one that was killed before its first begins again.</summary>
    public bool Resumes { get; private set; }

    /// <summary>Configuration of the model's CLIP.</summary>
    public ClipConfig Config { get; private set; } = null!;

    /// <summary>Takes the folder and checks it and the settings.</summary>
    /// <param name="settings">Checked settings.</param>
    /// <param name="folder">The run's folder.</param>
    /// <param name="resume">Whether to go on with the run in the folder.</param>
    /// <param name="overwrite">Whether a run that is there may be written over.</param>
    /// <exception cref="SettingsException">The folder holds a run already, or one that the settings do not
    /// fit.</exception>
    /// <exception cref="InputException">Weights, tokenizer or checkpoint are missing or damaged, or there is no run to
    /// resume.</exception>
    /// <exception cref="RunInUseException">Another program works in the folder.</exception>
    /// <exception cref="IOException">The folder cannot be written to, or has too little room.</exception>
    public static RunStart Check(TrainSettings settings, string folder, bool resume, bool overwrite)
    {
        string? begun = RunFolder.FindConfig(folder);
        if (resume && begun is null)
            throw new InputException($"{folder}: holds no run to go on with: there is no config.json");
        RunData.CheckThere(settings);
        var start = new RunStart(RunLock.Take(folder), folder, SettingsJson.Write(settings));
        try
        {
            if (!resume)
                RunFolder.CheckFree(folder, overwrite);
            start.Resumes = resume && !CheckpointFiles.HasNone(folder);
            if (!start.Resumes)
            {
                // Runs of folds that this one would write over may belong to another program.
                start._folds = new RunLocks(RunFolder.FoldsIn(folder));
                RunFolder.CheckInputs(folder, settings);
            }
            if (resume)
                CheckKind(settings, TrainSettings.OfRun(begun!), folder);
            ClipConfig config = start.Resumes ? start.CheckResumed(settings, TrainSettings.OfRun(begun!))
                : CheckBeginning(settings);
            start.Config = config;
            CheckMicroBatches(settings, config);
            DiskSpace.Check(folder, DiskSpace.NeededFor(config, settings));
            return start;
        }
        catch
        {
            start.Dispose();
            throw;
        }
    }

    /// <summary>Opens the folder for the run. From here on an earlier run that it writes over is gone.</summary>
    /// <exception cref="InputException">The metrics of the run to resume cannot be read.</exception>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public RunFolder Open()
    {
        if (!Resumes)
        {
            RunFolder begun = RunFolder.Begin(_folder, _config);
            _folds?.Dispose();
            return begun;
        }
        RunFolder run = RunFolder.Resume(_folder, _config, row => _state is null || _state.Contains(row.Stage,
            row.Epoch, row.Event == MetricRow.EpochEvent ? int.MaxValue : row.StepOfEpoch ?? 0));
        // The file is there when the run has ended; until then there is none.
        FolderChanges.Remove(RunResult.PathIn(_folder));
        return run;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _folds?.Dispose();
        _held.Dispose();
    }

    /// <summary>Opens what the run begins with, weights and tokenizer.</summary>
    internal static ClipConfig CheckBeginning(TrainSettings settings)
    {
        string path = settings.Init.Length > 0 ? Checkpoint.Find(settings.Init) : settings.Weights;
        if (path.Length == 0)
            return settings.Shape.ToConfig(settings.Shape.VocabularySize);
        using ClipWeights weights = ClipWeights.Load(path, stated: settings.WeightsFacts);
        WeightsTokenizer.For(weights, path, settings.Tokenizer.Length > 0 ? settings.Tokenizer : null);
        return weights.Config;
    }

    private ClipConfig CheckResumed(TrainSettings settings, TrainSettings begun)
    {
        using Checkpoint.CheckpointReader reader = new RunCheckpoints(_folder).OpenLast();
        _state = reader.State;
        CheckSameModel(settings, begun, _folder);
        if (_state is not null)
            CheckSamePast(settings, begun, _state, _folder);
        return reader.Config;
    }

    private static void CheckMicroBatches(TrainSettings settings, ClipConfig config)
    {
        foreach (TrainingStage stage in (TrainingStage[])[TrainingStage.Pretrain, TrainingStage.Stage2])
            if (config.ResNetBlocks is not null && settings.Of(stage) is { Epochs: > 0, Accumulate: > 1 })
                throw new SettingsException(GatheredStep.Refusal(stage));
    }

    private static void CheckKind(TrainSettings settings, TrainSettings begun, string folder)
    {
        if (begun.PretrainOnly is not { } pretrains || pretrains == settings.PretrainOnly)
            return;
        throw new SettingsException(pretrains ? $"{folder}: holds a pre-training of a CLIP alone"
            : $"{folder}: holds a training of a whole model, not a pre-training of a CLIP alone")
        { Remedy = pretrains ? Remedy.ResumeAsPretraining : Remedy.ResumeAsTraining };
    }

    /// <summary>The model is the checkpoint's: settings that would make another must not seem to have been
    /// followed.</summary>
    private static void CheckSameModel(TrainSettings settings, TrainSettings begun, string folder)
    {
        (string Name, object Now, object Then)[] fixedOnes =
        [
            ("shape", settings.Shape, begun.Shape), ("subclasses", settings.Subclasses, begun.Subclasses),
            ("tokens", settings.Tokens, begun.Tokens), ("template", settings.Template, begun.Template),
            ("weights", settings.Weights, begun.Weights),
            ("weightsFacts", settings.WeightsFacts, begun.WeightsFacts), ("init", settings.Init, begun.Init),
            ("tokenizer", settings.Tokenizer, begun.Tokenizer),
        ];
        foreach ((string name, object now, object then) in fixedOnes)
            if (!now.Equals(then))
                throw new SettingsException($"{folder}: the setting {name} is not the one that the run began with, and "
                    + "its model cannot follow it")
                { Remedy = Remedy.KeepSetting };
    }

    /// <summary>
    /// Settings of stages that the run has trained already must be as config.json has them, and so must all that its
    /// past depends on: the seed and the choices that its splits were made by, above all.
    /// </summary>
    private static void CheckSamePast(TrainSettings settings, TrainSettings begun, TrainingState state, string folder)
    {
        List<string> free = [.. Free, .. state.Stage is null ? [] : FreeOnTheWay];
        foreach (TrainingStage stage in TrainingStages.All)
        {
            (string name, StageSettings now, StageSettings then) = (stage.Name(), settings.Of(stage), begun.Of(stage));
            if (state.HasCompleted(stage) && now != then)
                throw new SettingsException($"{folder}: {name} has been trained with other settings of {name} than "
                    + "these")
                { Remedy = Remedy.KeepSettingsOrBeginFromModel };
            if (!state.HasCompleted(stage))
                free.Add(name);
            if (stage != state.Stage)
                continue;
            if (now.Epochs < state.Epoch)
                throw new SettingsException(
                    $"{folder}: {state.Epoch} epochs of {name} have been trained, more than {now.Epochs}: leave their "
                        + "number as it was");
            if (state.Step > 0 && now.BatchSize != then.BatchSize)
                throw new SettingsException(string.Create(CultureInfo.InvariantCulture,
                    $"{folder}: the run stopped within epoch {state.Epoch + 1} of {name}, after {state.Step} steps of ")
                    + string.Create(CultureInfo.InvariantCulture, $"{then.BatchSize} samples; ")
                    + "with batches of another size some would come twice and others not at all: leave batchSize as it "
                    + "was");
        }
        if (SettingsJson.FirstDifference(settings, begun, free) is { } differs)
            throw new SettingsException($"{folder}: the run "
                + $"{(state.Stage is null ? "is finished, and was" : "began, and has so far been")} trained with "
                + $"another {differs}")
            {
                Remedy = state.Stage is null ? Remedy.KeepSettingsOrBeginFromModel : Remedy.KeepSetting,
            };
    }
}
