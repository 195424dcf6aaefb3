using Cliper.Autograd;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Stages;

// The work of each method after pre-training.
public sealed partial class Trainer
{
    /// <summary>
    /// Prompts that begin as words or captions of the CLIP are made again after its pre-training. It happens before
    /// the first step of the method, and gives the same numbers each time.
    /// </summary>
    private void RenewPrompts()
    {
        if (_settings.Pretrain.Epochs == 0 || _settings.Method.HasDescriptors()
            || _state is not { Stage: TrainingStage.Stage1, Epoch: 0, Step: 0 })
            return;
        CliperModel before = _model;
        IPromptLearner prompts = new NewPrompts(_settings, before.Classes, _data.Format, _progress)
            .Create(before.Clip, _tokenizer);
        _model = new CliperModel(before.Clip, prompts, before.Classes, before.Temperature);
        before.Prompts.Dispose();
    }

    private void TrainMethod(StageLoss objective, CancellationToken cancellation)
    {
        bool frozenFirst = _settings.Stage1.Epochs > 0 && _state.Stage == TrainingStage.Stage1;
        RunStage(new PromptStage(_model, objective, frozenFirst ? Cached(cancellation) : null), cancellation);
        if (_settings.Method.HasDescriptors())
            TrainImageTower(objective, cancellation);
        else if (_settings.Method.HasHead())
            TrainHead(objective, cancellation);
        else
            Finish();
        if (_settings.Method == TrainingMethod.ZeroShot)
            TellPromptSets(cancellation);
    }

    /// <summary>Names every pair of class words and templates with what it reaches.</summary>
    private void TellPromptSets(CancellationToken cancellation)
    {
        DataSplit split = _data.Result;
        foreach (PromptSetResult pair in PromptSetEvaluator.Run(_model, _tokenizer, split,
            FeaturesOf(split, cancellation), _data.Format))
            _progress.Report(new MessageEvent($"{pair}"));
    }

    private void TrainImageTower(StageLoss objective, CancellationToken cancellation)
    {
        // The image tower is measured before the first step of stage 2, or never.
        if (_state is { Stage: TrainingStage.Stage2, Epoch: 0, Step: 0, AfterStage1: null }
            && _settings.Stage1.Epochs > 0)
            _state = _state with { AfterStage1 = Kept(Evaluate(_data.Result, cancellation), "stage1") };
        using var stage2 = new ImageTowerStage(_model, objective);
        _model.Clip.Vision.RecomputeBlocks = _settings.Stage2.RecomputeBlocks;
        RunStage(stage2, cancellation);
    }

    private void TrainHead(StageLoss objective, CancellationToken cancellation)
    {
        bool trainsTower = _settings.Method == TrainingMethod.FineTune;
        if (!trainsTower && _settings.Probe.Solver == ProbeSolver.Lbfgs)
        {
            Count(_model.Prompts.Parameters);
            if (_state.Stage is null)
                return;
            new LinearProbe(_settings, (LinearHead)_model.Prompts, _progress)
                .Fit(_data.Train, FeaturesOf(_data.Train, cancellation), cancellation);
            Finish();
            return;
        }
        _model.Clip.Vision.RecomputeBlocks = trainsTower && _settings.Stage2.RecomputeBlocks;
        bool cached = !trainsTower && _settings.Stage2.Epochs > 0 && _state.Stage == TrainingStage.Stage2;
        RunStage(new HeadStage(_model, objective, trainsTower, trainsTower ? _settings.Head.LearningRateFactor : 1,
            cached ? Cached(cancellation) : null), cancellation);
        Finish();
    }

    private void Count(IEnumerable<(string Name, Tensor Tensor)> trained)
    {
        foreach ((string name, Tensor tensor) in trained)
            _trained[name] = tensor.Shape.Count;
    }

    /// <summary>Puts the run at its end.</summary>
    private void Finish()
    {
        if (_state.Stage is null)
            return;
        while (_state.Stage is not null)
            _state = _state.AtNextStage();
        _checkpoints.SaveLast(_model, _info, _state, null);
        _lastGood = LastGood();
    }

    /// <summary>Features of the training split where the settings ask for kept ones.</summary>
    private FeatureTable? Cached(CancellationToken cancellation) =>
        _settings.Features == FeatureSource.Cached ? FeaturesOf(_data.Train, cancellation) : null;

    /// <summary>Features of a split by the test transform, computed once for all that work on the same tower.</summary>
    private FeatureTable FeaturesOf(DataSplit split, CancellationToken cancellation)
    {
        using BatchLoader loader = _data.TestLoader(split, _model.Clip.Vision.Input, _device);
        Prepare(loader, cancellation);
        FeatureTable table = _shared.Features(_model, loader, Told($"computing the features of {split.Name}"),
            cancellation);
        TellSkipped(table.Skipped);
        return table;
    }
}
