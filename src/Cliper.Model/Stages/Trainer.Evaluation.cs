using Cliper.Model.Checkpoints;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

// How a training measures itself.
public sealed partial class Trainer
{
    /// <summary>How many unreadable samples are named; the others are counted.</summary>
    private const int MostNamed = 10;

    private readonly HashSet<string> _skipped = [];
    private readonly SharedWork _shared;

    /// <summary>Evaluation of the reported split after the last epoch, where that epoch's model is the run's; else
    /// null.</summary>
    private Evaluation? _last;

    /// <summary>Whether this run trains the image tower, now or before.</summary>
    private bool _towerIsTrained;

    /// <summary>Evaluates the end of an epoch, with the averaged weights where there are any, and keeps the model where
    /// it is the best so far and one is selected.</summary>
    private Evaluation EvaluateEpoch(StageLoop loop, ITrainingStage stage, DataSplit split, int epoch,
        CancellationToken cancellation)
    {
        _model.Clip.Vision.IsTraining = false;
        loop.Average?.Exchange();
        try
        {
            if (stage.Evaluation == StageEvaluation.ZeroShot)
                return ZeroShot(split, cancellation);
            Evaluation evaluation = Evaluate(split, cancellation);
            _last = ReferenceEquals(split, _data.Result) && _settings.Select == Selection.Last ? evaluation : null;
            double war = evaluation.Confusion.War ?? 0;
            if (_settings.Select != Selection.Last && war > _state.BestWar)
            {
                _state = _state with { BestWar = war, BestEpoch = epoch };
                _checkpoints.SaveBest(_model, _info);
            }
            return evaluation;
        }
        finally
        {
            // An interrupted run goes on with the weights, not with their average.
            loop.Average?.Exchange();
            _model.Clip.Vision.IsTraining = stage.TrainsImageTower;
        }
    }

    /// <summary>Leaves every sample's answer of an evaluation of the reported split as a file of the run, and returns
    /// the counts.</summary>
    private long[][] Kept(Evaluation evaluation, string name)
    {
        PredictionsFile.Write(Path.Combine(_folder, PredictionsFile.NameOf(name)), evaluation, _data.Result);
        return evaluation.Confusion.ToRows();
    }

    private Evaluation? Kept(long[][]? rows) => rows is null ? null
        : new Evaluation(_data.Result.Name, ConfusionMatrix.FromRows(_model.Classes, rows), []);

    private Evaluation Evaluate(DataSplit split, CancellationToken cancellation)
    {
        using BatchLoader loader = Measured(split, cancellation);
        Evaluation evaluation = Evaluator.Run(_model, loader, Told($"evaluating {split.Name}"), cancellation);
        TellSkipped(loader.SkippedOfAllRanks());
        return evaluation;
    }

    /// <summary>A split to measure the model on: by kept features while its image tower is as the run has begun with
    /// it, else by its images, for a tower that a training has changed is met once.</summary>
    private BatchLoader Measured(DataSplit split, CancellationToken cancellation)
    {
        if (!_towerIsTrained)
            return _data.TestLoader(split, _model.Clip.Vision.Input, _device, FeaturesOf(split, cancellation));
        BatchLoader loader = _data.TestLoader(split, _model.Clip.Vision.Input, _device);
        Prepare(loader, cancellation);
        return loader;
    }

    /// <summary>Fills a cache on disk before its first use, which else would do it in silence.</summary>
    private void Prepare(BatchLoader loader, CancellationToken cancellation) =>
        loader.Prepare(new Teller(Told($"caching the pictures of {loader.Split.Name}")), cancellation);

    private Action<double> Told(string work) => fraction => _progress.Report(new WorkEvent(work, fraction));

    private sealed class Teller(Action<double> told) : IProgress<double>
    {
        public void Report(double value) => told(value);
    }

    /// <summary>Names the samples that could not be read and have not been named before, and counts all.</summary>
    private void TellSkipped(IReadOnlyDictionary<string, string> skipped)
    {
        int before = _skipped.Count;
        foreach ((string name, string reason) in skipped.OrderBy(entry => entry.Key, StringComparer.Ordinal))
            if (_skipped.Add(name) && _skipped.Count <= MostNamed)
                _progress.Report(new MessageEvent($"skipped: {reason}", Warning: true));
        if (_skipped.Count > before)
            _progress.Report(new MessageEvent($"skipped {_skipped.Count} unreadable "
                + $"{(_skipped.Count == 1 ? "sample" : "samples")} so far "
                + "(the setting strict makes this an error)", Warning: true));
    }

    private Evaluation ZeroShot(DataSplit split, CancellationToken cancellation)
    {
        using BatchLoader loader = Measured(split, cancellation);
        // A CLIP pre-trained here knows the words of its captions and no others.
        IReadOnlyList<string> templates = _settings.Weights.Length > 0 ? PromptTemplates.Faces
            : _settings.CaptionTemplates;
        return Evaluator.ZeroShot(_model,
            [.. _model.Classes.Select(name => (IReadOnlyList<int[]>)[.. templates.Select(template =>
            _tokenizer.Encode(PromptTemplates.Fill(template, name), _model.Clip.Config.ContextLength))])],
            loader, Told($"evaluating {split.Name} zero-shot"), cancellation);
    }

    private void TakeSelected()
    {
        if (_settings.Select == Selection.Last || _state.BestEpoch == 0)
            return;
        _model.Dispose();
        (_model, _) = Checkpoint.Load(_checkpoints.BestPath, _device);
        _progress.Report(new MessageEvent(
            $"the model is that of epoch {_state.BestEpoch} of stage 2, the best on {_data.Selection!.Name}"));
    }
}
