using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>
/// CLIPER's training: pre-training of a CLIP where no weights are given, stage 1 (the descriptors; both towers frozen)
/// and stage 2 (the image tower against fixed text features). Prints nothing; reports its work by events, and keeps its
/// state in the run's checkpoints/last.safetensors, from which an interrupted run goes on to the same bits.
/// </summary>
public sealed partial class Trainer : IDisposable
{
    private readonly Device _device;
    private readonly TrainSettings _settings;
    private readonly TrainingData _data;
    private readonly RunCheckpoints _checkpoints;
    private readonly IProgress<TrainEvent> _progress;
    private CheckpointInfo _info;
    private CliperModel _model = null!;
    private ClipTokenizer _tokenizer = null!;
    private TrainingState _state = new(TrainingStage.Pretrain, 0, 0, -1, 0);
    private readonly string _folder;
    private readonly Dictionary<string, long> _trained = [];
    private string? _lastGood;

    /// <summary>A run that has not begun.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="settings">All that decides the result.</param>
    /// <param name="data">The splits, and captions where a CLIP is pre-trained.</param>
    /// <param name="folder">The run's folder; checkpoints/ is made in it.</param>
    /// <param name="progress">Receives every step, epoch and message.</param>
    public Trainer(Device device, TrainSettings settings, TrainingData data, string folder,
        IProgress<TrainEvent> progress)
        : this(new SharedWork(device), settings, data, folder, progress)
    {
    }

    /// <summary>A run with what other runs on its device have left; it adds its own.</summary>
    internal Trainer(SharedWork shared, TrainSettings settings, TrainingData data, string folder,
        IProgress<TrainEvent> progress)
    {
        settings.Check();
        (_shared, _device) = (shared, shared.Device);
        (_settings, _data, _progress, _folder) = (settings, data, progress, folder);
        _checkpoints = new RunCheckpoints(folder);
        _info = ModelFacts.Of(settings, data);
    }

    /// <summary>
    /// Makes or reads the model and touches no file, so that what is wrong with either is told before a run begins.
    /// <see cref="Run"/> and <see cref="Pretrain"/> do it themselves where it has not been done.
    /// </summary>
    /// <param name="resume">Whether to go on from checkpoints/last.safetensors.</param>
    /// <exception cref="InputException">Weights or checkpoint are missing, damaged, or of other classes.</exception>
    public void Load(bool resume)
    {
        if (_model is not null)
            return;
        if (resume)
            Resume();
        else
            (_model, _tokenizer) = new StartingModel(_device, _settings, _data, _progress).Create();
    }

    /// <summary>Trains from the beginning, or from the run's last checkpoint.</summary>
    /// <param name="resume">Whether to go on from checkpoints/last.safetensors.</param>
    /// <param name="cancellation">Ends the current step, writes a checkpoint and throws.</param>
    /// <exception cref="OperationCanceledException">Canceled; the checkpoint has been written.</exception>
    /// <exception cref="DivergedException">A loss, gradient or weight is no number; the last checkpoint is from
    /// before.</exception>
    /// <exception cref="InputException">Weights or data are missing or damaged.</exception>
    public TrainResult Run(bool resume, CancellationToken cancellation)
    {
        Load(resume);
        if (!resume)
            _checkpoints.SaveTokenizer(_tokenizer);
        try
        {
            _info = ModelFacts.WithFaces(_info, _settings, _data, _shared, _progress, cancellation);
            RunStage(new PretrainStage(_model, _tokenizer, _data), cancellation);
            RenewPrompts();
            var objective = StageLoss.For(_settings, _data.Train);
            _model.Temperature = _settings.Temperature > 0 ? _settings.Temperature
                : ContrastiveLoss.TemperatureOf(_model.Clip);
            // Prompts that come from elsewhere have moved the image tower to them; its captions are no zero-shot.
            if (!_state.HasCompleted(TrainingStage.Stage1) && _settings.Init.Length == 0 && _state.ZeroShot is null)
                _state = _state with { ZeroShot = Kept(ZeroShot(_data.Result, cancellation), "zero-shot") };
            TrainMethod(objective, cancellation);
            TakeSelected();
            if (_data.Validation is { } held)
            {
                _model.AnswerTemperature = 1;
                ModelFacts.Calibrate(_model, Evaluate(held, cancellation), _progress);
                _last = null;
            }
            _checkpoints.SaveModel(_model, _info);
            Evaluation result = _last ?? Evaluate(_data.Result, cancellation);
            Kept(result, "");
            var trained = new TrainResult(_model, _tokenizer, result, Kept(_state.ZeroShot), Kept(_state.AfterStage1),
                _state.BestEpoch)
            {
                DataFormat = _data.Format,
                TrainedParameters = _trained.Values.Sum(),
            };
            // From here on the model is the caller's.
            _model = null!;
            return trained;
        }
        catch (OperationCanceledException) when (!File.Exists(_checkpoints.LastPath))
        {
            // An interruption before the first step leaves the beginning to go on from.
            _checkpoints.SaveLast(_model, _info, _state, null);
            throw;
        }
    }

    /// <summary>Ends the model, unless <see cref="Run"/> has given it to its caller.</summary>
    public void Dispose() => _model?.Dispose();

    /// <summary>Pre-trains alone and writes clip.safetensors, with its vocabulary, into the run's folder.</summary>
    /// <returns>Path of the weights.</returns>
    /// <inheritdoc cref="Run"/>
    public string Pretrain(bool resume, CancellationToken cancellation)
    {
        Load(resume);
        if (!resume)
            _checkpoints.SaveTokenizer(_tokenizer);
        RunStage(new PretrainStage(_model, _tokenizer, _data), cancellation);
        return _checkpoints.SaveClip(_model.Clip, _tokenizer);
    }

    private void Resume()
    {
        using Checkpoint.CheckpointReader reader = _checkpoints.OpenLast();
        _model = reader.ReadModel(_device);
        _info = _info with { FaceTemplate = reader.Info.FaceTemplate };
        _state = reader.State
            ?? throw new InputException($"{_checkpoints.LastPath}: holds no training state to go on from");
        _tokenizer = _checkpoints.LoadTokenizer();
        if (!_model.Classes.SequenceEqual(_data.Train.Classes))
            throw new InputException($"{_checkpoints.LastPath} was trained on {string.Join(", ", _model.Classes)}; "
                + $"the data has {string.Join(", ", _data.Train.Classes)}: resume with the data the run began with");
        foreach (long[][] rows in new[] { _state.ZeroShot, _state.AfterStage1 }.OfType<long[][]>())
            if (rows.Length != _model.Classes.Count
                || rows.Any(row => row?.Length != rows.Length || row.Any(count => count < 0)))
                throw new InputException($"{_checkpoints.LastPath}: its counts are not {_model.Classes.Count} rows of "
                    + "as many; the file is damaged");
        _lastGood = LastGood();
        _progress.Report(_state.Stage is not null
            ? new MessageEvent($"going on in {_state.Place}")
            : new MessageEvent("the run is finished: only its evaluation and report are made again")
            { Remedy = Remedy.BeginFromModel });
    }

    /// <summary>Runs a stage unless it is completed or has no epochs; afterwards the state stands at the
    /// next.</summary>
    private void RunStage(ITrainingStage stage, CancellationToken cancellation)
    {
        if (_settings.Of(stage.Stage).Epochs > 0)
        {
            Count(stage.Trained);
            _towerIsTrained |= stage.TrainsImageTower;
        }
        // A completed stage is never the current one.
        if (_state.Stage != stage.Stage)
            return;
        StageSettings settings = _settings.Of(stage.Stage);
        if (settings.Epochs == 0)
        {
            _state = _state.AtNextStage();
            return;
        }
        IReadOnlyList<(string Name, Tensor Tensor)> trained = stage.Trained;
        _model.Train(trained);
        using var loop = new StageLoop(stage.Stage, settings, _device, StageLoop.OptimizerOf(settings, trained,
            stage.LearningRateFactor))
        {
            Epoch = _state.Epoch,
            Step = _state.Step,
            Sums = _state.Sums,
            Average = settings.AverageDecay > 0 ? new WeightAverage(Averaged(stage), settings.AverageDecay) : null,
            Divided = (settings.Accumulate > 1 || _device.Ranks.Size > 1) && stage.KeptFeatures is null
                ? GatheredStep.Divisible(stage, _model.Clip.Vision, settings.Accumulate) : null,
            NeedsSamplesOnAllRanks = stage.TrainsImageTower && _model.Clip.Vision.Buffers.Count > 0,
            Partial = [.. trained.Where(entry => ClipModel.IsVision(entry.Name)).Select(entry => entry.Tensor)],
            Answers = stage.Stage == TrainingStage.Pretrain ? null : new AnswerCounter(_device,
                settings.BatchSize, _model.Prompts.Classes, _model.Prompts.PromptsPerClass),
        };
        if (_state.Epoch > 0 || _state.Step > 0)
            Restore(loop);
        using BatchLoader loader = _data.TrainLoader(settings, _model.Clip.Vision.Input, _device, stage.KeptFeatures);
        if (stage.KeptFeatures is null)
            Prepare(loader, cancellation);
        _model.Clip.Vision.IsTraining = stage.TrainsImageTower;
        try
        {
            loop.Run(loader, stage.Loss, _progress, ended =>
            {
                TellSkipped(loader.SkippedOfAllRanks());
                EpochEnded(loop, stage, ended, cancellation);
            }, cancellation);
        }
        catch (OperationCanceledException)
        {
            CheckWeights(loop);
            SaveState(loop, loop.Epoch, loop.Step, loop.Sums);
            throw;
        }
        catch (NotFiniteNumberException failure)
        {
            throw Diverged(loop, failure);
        }
        finally
        {
            _model.Clip.Vision.IsTraining = false;
        }
        loop.TellCosts(_progress);
        loop.Average?.Exchange();
        _model.Train([]);
        _state = _state.AtNextStage();
        _checkpoints.SaveLast(_model, _info, _state, null);
        _lastGood = LastGood();
    }

    private DivergedException Diverged(StageLoop loop, NotFiniteNumberException failure) =>
        new($"{loop.Stage.Name()} has diverged: {failure.Message}; "
            + (_lastGood ?? "before it no checkpoint was written"), loop.Stage, _lastGood is not null);

    /// <summary>A model whose weights are no numbers must neither be kept nor measured.</summary>
    private void CheckWeights(StageLoop loop)
    {
        try
        {
            loop.CheckWeights();
        }
        catch (NotFiniteNumberException failure)
        {
            throw Diverged(loop, failure);
        }
    }

    private string LastGood() => $"the last good checkpoint stands at {_state.Place}";

    // The running statistics belong to the weights that they were counted with.
    private IEnumerable<(string Name, Tensor Tensor)> Averaged(ITrainingStage stage) => stage.TrainsImageTower
        ? stage.Trained.Concat(_model.Clip.Vision.Buffers.Select(name => (name, _model.Clip.Parameters[name])))
        : stage.Trained;

    private void Restore(StageLoop loop)
    {
        using Checkpoint.CheckpointReader reader = _checkpoints.OpenLast();
        reader.Restore(loop.Optimizer);
        if (loop.Average is { } average)
            reader.Restore(average);
        // Checkpoints of earlier versions have no loss scale: it finds its value again within some steps.
        if (_state.LossScale is { } scale)
            loop.Scaler.Restore(scale);
    }

    private void EpochEnded(StageLoop loop, ITrainingStage stage, EpochEvent ended, CancellationToken cancellation)
    {
        // The next step's loss would show it, and there may be none.
        CheckWeights(loop);
        loop.CheckSameOnAllRanks();
        bool last = ended.Epoch == ended.Epochs;
        if (stage.Evaluation != StageEvaluation.None && _data.Selection is { } split
            && (last || ended.Epoch % _settings.EvaluateEvery == 0))
        {
            Evaluation evaluation = EvaluateEpoch(loop, stage, split, ended.Epoch, cancellation);
            ended = ended with
            {
                EvaluatedOn = split.Name,
                War = evaluation.Confusion.War ?? 0,
                Uar = evaluation.Confusion.Uar
            };
        }
        _progress.Report(ended);
        if (!last)
            SaveState(loop, loop.Epoch + 1, 0, default);
    }

    private void SaveState(StageLoop loop, int epoch, int step, EpochSums sums)
    {
        _state = _state with { Epoch = epoch, Step = step, Sums = sums, LossScale = loop.Scaler.Current };
        _checkpoints.SaveLast(_model, _info, _state, loop.Optimizer, loop.Average);
        _lastGood = LastGood();
    }
}
