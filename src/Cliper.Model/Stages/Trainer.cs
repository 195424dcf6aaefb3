using Cliper.Autograd;
using Cliper.Kernels.Memory;
using Cliper.Model.Checkpoints;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Text;
using Cliper.Model.Weights;

namespace Cliper.Model.Stages;

/// <summary>What a run ended with.</summary>
/// <param name="Model">The trained model; the caller's to dispose.</param>
/// <param name="Tokenizer">Of the model's text tower.</param>
/// <param name="Result">The final evaluation, on the test split (or the validation split where there is no other).</param>
/// <param name="ZeroShot">The CLIP alone on the same split, with captions of the class names.</param>
/// <param name="AfterStage1">The descriptors with the image tower not yet fine-tuned, on the same split.</param>
/// <param name="BestEpoch">Epoch of stage 2 whose model it is, from 1; 0 for the last.</param>
public sealed record TrainResult(CliperModel Model, ClipTokenizer Tokenizer, Evaluation Result, Evaluation? ZeroShot,
    Evaluation? AfterStage1, int BestEpoch)
{
    /// <summary>The data set whose published results stand beside; null for none.</summary>
    public PaperDataSet? Paper { get; init; }
}

/// <summary>
/// CLIPER's training: pre-training of a CLIP where no weights are given, stage 1 (the descriptors; both towers frozen) and
/// stage 2 (the image tower against fixed text features). Prints nothing; tells of its work by events, and keeps its state
/// in the run's checkpoints/last.safetensors, from which an interrupted run goes on to the same bits.
/// </summary>
public sealed class Trainer : IDisposable
{
    internal const string PretrainPhase = "pretrain";
    internal const string Stage1Phase = "stage1";
    internal const string Stage2Phase = "stage2";
    private const string DonePhase = "done";

    /// <summary>How many unreadable samples are named; the others are counted.</summary>
    private const int MostNamed = 10;

    private static readonly string[] Order = [PretrainPhase, Stage1Phase, Stage2Phase, DonePhase];

    private readonly Device _device;
    private readonly TrainSettings _settings;
    private readonly TrainingData _data;
    private readonly RunCheckpoints _checkpoints;
    private readonly IProgress<TrainEvent> _progress;
    private readonly CheckpointInfo _info;
    private readonly HashSet<string> _skipped = [];
    private CliperModel _model = null!;
    private ClipTokenizer _tokenizer = null!;
    private TrainingState _state = new(PretrainPhase, 0, 0, -1, 0);

    /// <summary>A run that has not begun.</summary>
    /// <param name="device">Where to train.</param>
    /// <param name="settings">All that decides the result.</param>
    /// <param name="data">The splits, and captions where a CLIP is pre-trained.</param>
    /// <param name="folder">The run's folder; checkpoints/ is made in it.</param>
    /// <param name="progress">Told of every step, epoch and message.</param>
    public Trainer(Device device, TrainSettings settings, TrainingData data, string folder, IProgress<TrainEvent> progress)
    {
        settings.Check();
        (_device, _settings, _data, _progress) = (device, settings, data, progress);
        _checkpoints = new RunCheckpoints(folder);
        _info = new CheckpointInfo(settings.Frames, settings.Recipe, data.Note)
        {
            FramesPerSegment = settings.FramesPerSegment,
            ShortClips = settings.ShortClips,
            FaceMargin = settings.Choices.FaceMargin,
            Alignment = data.Alignment,
        };
    }

    /// <summary>Trains from the beginning, or from the run's last checkpoint.</summary>
    /// <param name="resume">Whether to go on from checkpoints/last.safetensors.</param>
    /// <param name="cancellation">Ends the current step, writes a checkpoint and throws.</param>
    /// <exception cref="OperationCanceledException">Cancelled; the checkpoint has been written.</exception>
    /// <exception cref="InputException">Weights or data are missing or damaged.</exception>
    public TrainResult Run(bool resume, CancellationToken cancellation)
    {
        if (resume)
            Resume();
        else
            Create();
        try
        {
            RunPhase(PretrainPhase, _settings.Pretrain, name => true, Contrastive, cancellation);
            _model.Temperature = _settings.Temperature > 0 ? _settings.Temperature : ContrastiveLoss.TemperatureOf(_model.Clip);
            // Descriptors that come from elsewhere have moved the image tower to them; its captions are no zero-shot.
            if (NotPast(Stage1Phase) && _settings.Init.Length == 0 && _state.ZeroShot is null)
                _state = _state with { ZeroShot = ZeroShot(cancellation).Confusion.ToRows() };
            RunPhase(Stage1Phase, _settings.Stage1, name => false, Stage1Loss(), cancellation);
            // Of the image tower before the first step of stage 2, or never.
            if (_state is { Stage: Stage2Phase, Epoch: 0, Step: 0, AfterStage1: null } && _settings.Stage1.Epochs > 0)
                _state = _state with { AfterStage1 = Evaluate(_data.Result, cancellation).Confusion.ToRows() };
            using (var tape = new Tape(_device, recording: false))
            {
                Tensor descriptors = tape.New(new Shape(_model.Metd.Classes * _model.Metd.Subclasses, _model.Clip.Config.EmbedSize));
                using (var inner = new Tape(_device, recording: false))
                    _device.Copy(_model.DescriptorFeatures(inner).Data, descriptors.Data);
                _model.Clip.Vision.RecomputeBlocks = _settings.Stage2.RecomputeBlocks;
                RunPhase(Stage2Phase, _settings.Stage2, ClipModel.IsVision, Stage2Loss(descriptors), cancellation);
            }
            TakeSelected();
            _checkpoints.SaveModel(_model, _info);
            Evaluation result = Evaluate(_data.Result, cancellation);
            var trained = new TrainResult(_model, _tokenizer, result, Kept(_state.ZeroShot), Kept(_state.AfterStage1),
                _state.BestEpoch)
            {
                Paper = _data.Paper,
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
        if (resume)
            Resume();
        else
            Create();
        RunPhase(PretrainPhase, _settings.Pretrain, name => true, Contrastive, cancellation);
        return _checkpoints.SaveClip(_model.Clip, _tokenizer);
    }

    /// <summary>Whether a step of an epoch (both from 1) lies before where <paramref name="state"/> goes on.</summary>
    internal static bool IsBefore(string phase, int epoch, int step, TrainingState state) =>
        (Array.IndexOf(Order, phase), epoch - 1, step).CompareTo((Array.IndexOf(Order, state.Stage), state.Epoch, state.Step + 1)) < 0;

    /// <summary>Whether a phase lies before the one that <paramref name="state"/> goes on in.</summary>
    internal static bool IsPast(string phase, TrainingState state) => Array.IndexOf(Order, state.Stage) > Array.IndexOf(Order, phase);

    private bool NotPast(string phase) => !IsPast(phase, _state);

    private void Create()
    {
        if (_settings.Init.Length > 0)
        {
            CreateFrom(Checkpoint.Find(_settings.Init));
            return;
        }
        ClipWeights weights;
        if (_settings.Weights.Length > 0)
        {
            weights = ClipWeights.Load(_settings.Weights);
            _tokenizer = ClipTokenizer.For(weights.Metadata, weights.Config.VocabularySize, _settings.Weights,
                _settings.Tokenizer.Length > 0 ? _settings.Tokenizer : null);
        }
        else
        {
            _tokenizer = new ClipTokenizer(BpeTrainer.Train(_data.AllCaptions(), _settings.Shape.VocabularySize,
                _data.Train.Classes));
            weights = ClipWeights.Random(_settings.Shape.ToConfig(_tokenizer.Vocabulary.Count), _settings.Seed);
        }
        using (weights)
        {
            var clip = new ClipModel(_device, weights);
            if (_settings.Weights.Length == 0)
                ContrastiveLoss.SetInitialTemperature(clip);
            DescriptorPrompt prompt = DescriptorPrompt.Create(_tokenizer, _settings.Tokens, clip.Config.ContextLength,
                _settings.Template);
            Metd metd = Metd.Random(_device, _data.Train.Classes.Count, _settings.Subclasses, clip.Config.TextWidth, prompt,
                _settings.Seed);
            _model = new CliperModel(clip, metd, _data.Train.Classes);
        }
        _checkpoints.SaveTokenizer(_tokenizer);
    }

    /// <summary>Begins where another training has ended: with its towers and its descriptors.</summary>
    private void CreateFrom(string checkpoint)
    {
        using Checkpoint.CheckpointReader reader = new(checkpoint);
        using (ClipWeights weights = ClipWeights.Load(checkpoint))
            _tokenizer = ClipTokenizer.For(weights.Metadata, weights.Config.VocabularySize, checkpoint, _settings.Tokenizer.Length > 0 ? _settings.Tokenizer : null);
        _model = reader.ReadModel(_device);
        try
        {
            if (!_model.Classes.SequenceEqual(_data.Train.Classes))
                throw new InputException($"{checkpoint} was trained on {string.Join(", ", _model.Classes)}; the data has "
                    + $"{string.Join(", ", _data.Train.Classes)}: its descriptors serve the same classes alone")
                { Remedy = Remedy.TakeClipOfCheckpoint };
            if ((_model.Metd.Subclasses, _model.Metd.Tokens) != (_settings.Subclasses, _settings.Tokens))
                throw new SettingsException($"{checkpoint} has {_model.Metd.Subclasses} descriptors a class of {_model.Metd.Tokens} tokens; "
                    + $"subclasses is {_settings.Subclasses} and tokens {_settings.Tokens}: set them as the checkpoint has them");
        }
        catch
        {
            _model.Dispose();
            throw;
        }
        _progress.Report(new MessageEvent($"begins with the model of {checkpoint}, towers and descriptors"));
        _checkpoints.SaveTokenizer(_tokenizer);
    }

    private void Resume()
    {
        using Checkpoint.CheckpointReader reader = _checkpoints.OpenLast();
        _model = reader.ReadModel(_device);
        _state = reader.State ?? throw new InputException($"{_checkpoints.LastPath}: holds no training state to go on from");
        _tokenizer = _checkpoints.LoadTokenizer();
        if (!_model.Classes.SequenceEqual(_data.Train.Classes))
            throw new InputException($"{_checkpoints.LastPath} was trained on {string.Join(", ", _model.Classes)}; "
                + $"the data has {string.Join(", ", _data.Train.Classes)}: resume with the data the run began with");
        foreach (long[][] rows in new[] { _state.ZeroShot, _state.AfterStage1 }.OfType<long[][]>())
            if (rows.Length != _model.Classes.Count || rows.Any(row => row?.Length != rows.Length || row.Any(count => count < 0)))
                throw new InputException($"{_checkpoints.LastPath}: its counts are not {_model.Classes.Count} rows of as many; the file is damaged");
        _progress.Report(_state.Stage == DonePhase
            ? new MessageEvent("the run is finished: only its evaluation and report are made again")
            { Remedy = Remedy.BeginFromModel }
            : new MessageEvent($"going on in {_state.Stage}, epoch {_state.Epoch + 1}, step {_state.Step + 1}"));
    }

    /// <summary>Runs a phase unless it lies behind or has no epochs; afterwards the state stands at the next.</summary>
    private void RunPhase(string name, StageSettings settings, Func<string, bool> trainsClip,
        Func<Tape, Batch, int, StepLoss> loss, CancellationToken cancellation)
    {
        if (!NotPast(name) || _state.Stage != name)
            return;
        string next = Order[Array.IndexOf(Order, name) + 1];
        if (settings.Epochs == 0)
        {
            _state = _state with { Stage = next, Epoch = 0, Step = 0, Sums = default, LossScale = null };
            return;
        }
        _model.Clip.Parameters.Train(trainsClip);
        _model.Metd.Vectors.RequiresGrad = name == Stage1Phase;
        List<(string Name, Tensor Tensor)> parameters = name == Stage1Phase
            ? [(Metd.ParameterName, _model.Metd.Vectors)]
            : [.. _model.Clip.Parameters.StartingWith().Where(p => p.Tensor.RequiresGrad)];
        using var phase = new StageLoop(name, settings, _device, parameters)
        {
            Epoch = _state.Epoch,
            Step = _state.Step,
            Sums = _state.Sums,
        };
        if (_state.Epoch > 0 || _state.Step > 0)
        {
            using Checkpoint.CheckpointReader reader = _checkpoints.OpenLast();
            reader.Restore(phase.Optimizer);
            // Checkpoints of earlier versions have none: the scale finds its value again within some steps.
            if (_state.LossScale is { } scale)
                phase.Scaler.Restore(scale);
        }
        using BatchLoader loader = _data.TrainLoader(settings, _model.Clip.Config, _device);
        try
        {
            phase.Run(loader, loss, _progress, ended =>
            {
                TellSkipped(loader);
                EpochEnded(phase, settings, ended, cancellation);
            }, cancellation);
        }
        catch (OperationCanceledException)
        {
            SaveState(phase, phase.Epoch, phase.Step, phase.Sums);
            throw;
        }
        _model.Clip.Parameters.Train(_ => false);
        _model.Metd.Vectors.RequiresGrad = false;
        _model.Metd.Vectors.FreeGradient();
        _state = _state with { Stage = next, Epoch = 0, Step = 0, Sums = default, LossScale = null };
        _checkpoints.SaveLast(_model, _info, _state, null);
    }

    private void EpochEnded(StageLoop phase, StageSettings settings, EpochEvent ended, CancellationToken cancellation)
    {
        bool last = ended.Epoch == settings.Epochs;
        if (phase.Name == Stage2Phase && _data.Selection is { } split
            && (last || ended.Epoch % _settings.EvaluateEvery == 0))
        {
            Evaluation evaluation = Evaluate(split, cancellation);
            double war = evaluation.Confusion.War ?? 0;
            ended = ended with { EvaluatedOn = split.Name, War = war, Uar = evaluation.Confusion.Uar };
            if (_settings.Select != Selection.Last && war > _state.BestWar)
            {
                _state = _state with { BestWar = war, BestEpoch = ended.Epoch };
                _checkpoints.SaveBest(_model, _info);
            }
        }
        _progress.Report(ended);
        if (!last)
            SaveState(phase, phase.Epoch + 1, 0, default);
    }

    private Evaluation? Kept(long[][]? rows) => rows is null ? null
        : new Evaluation(_data.Result.Name, ConfusionMatrix.FromRows(_model.Classes, rows), []);

    private void SaveState(StageLoop phase, int epoch, int step, EpochSums sums)
    {
        _state = _state with { Epoch = epoch, Step = step, Sums = sums, LossScale = phase.Scaler.Current };
        _checkpoints.SaveLast(_model, _info, _state, phase.Optimizer);
    }

    private void TakeSelected()
    {
        if (_settings.Select == Selection.Last || _state.BestEpoch == 0)
            return;
        _model.Dispose();
        (_model, _) = Checkpoint.Load(_checkpoints.BestPath, _device);
        _progress.Report(new MessageEvent($"the model is that of epoch {_state.BestEpoch} of stage 2, the best on {_data.Selection!.Name}"));
    }

    private StepLoss Contrastive(Tape tape, Batch batch, int epoch)
    {
        ContrastiveLoss.LimitScale(_model.Clip);
        IReadOnlyList<int[]> captions = [.. _data.CaptionsOf(batch, epoch)
            .Select(caption => _tokenizer.Encode(caption, _model.Clip.Config.ContextLength))];
        Tensor features = _model.ImageFeatures(tape, Evaluator.Pixels(tape, batch), batch.Frames);
        return new StepLoss(ContrastiveLoss.Of(tape, _model.Clip, features, captions), null);
    }

    private Func<Tape, Batch, int, StepLoss> Stage1Loss() => (tape, batch, _) =>
    {
        // The frozen image tower needs no tape: nothing of it is kept.
        Tensor features = tape.New(new Shape(batch.Count, _model.Clip.Config.EmbedSize));
        using (var frozen = new Tape(_device, recording: false))
            _device.Copy(_model.ImageFeatures(frozen, Evaluator.Pixels(frozen, batch), batch.Frames).Data, features.Data);
        return CliperLosses(tape, features, _model.DescriptorFeatures(tape), batch);
    };

    private Func<Tape, Batch, int, StepLoss> Stage2Loss(Tensor descriptors) => (tape, batch, _) =>
        CliperLosses(tape, _model.ImageFeatures(tape, Evaluator.Pixels(tape, batch), batch.Frames), descriptors, batch);

    private StepLoss CliperLosses(Tape tape, Tensor features, Tensor descriptors, Batch batch)
    {
        Tensor labels = tape.Own(Tensor.From(_device, batch.Labels.AsSpan(0, batch.Count), new Shape(batch.Count)));
        Tensor losses = _model.Losses(tape, _model.Logits(tape, features, descriptors), labels, _settings.EmptySubclasses);
        return new StepLoss(tape.Sum(losses), losses);
    }

    private Evaluation Evaluate(DataSplit split, CancellationToken cancellation)
    {
        using BatchLoader loader = _data.TestLoader(split, _model.Clip.Config, _device);
        Evaluation evaluation = Evaluator.Run(_model, loader, cancellation);
        TellSkipped(loader);
        return evaluation;
    }

    /// <summary>Names the samples that could not be read and have not been named before, and counts all.</summary>
    private void TellSkipped(BatchLoader loader)
    {
        int before = _skipped.Count;
        foreach ((string name, string reason) in loader.Skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            if (_skipped.Add(name) && _skipped.Count <= MostNamed)
                _progress.Report(new MessageEvent($"skipped: {reason}", Warning: true));
        if (_skipped.Count > before)
            _progress.Report(new MessageEvent($"skipped {_skipped.Count} unreadable {(_skipped.Count == 1 ? "sample" : "samples")} so far "
                + "(the setting strict makes this an error)", Warning: true));
    }

    private Evaluation ZeroShot(CancellationToken cancellation)
    {
        using BatchLoader loader = _data.TestLoader(_data.Result, _model.Clip.Config, _device);
        // A CLIP pre-trained here knows the words of its captions and no others.
        IReadOnlyList<string> templates = _settings.Weights.Length > 0 ? PromptTemplates.Faces : _settings.CaptionTemplates;
        return Evaluator.ZeroShot(_model, [.. _model.Classes.Select(name => (IReadOnlyList<int[]>)[.. templates.Select(template =>
            _tokenizer.Encode(PromptTemplates.Fill(template, name), _model.Clip.Config.ContextLength))])],
            loader, cancellation);
    }
}
