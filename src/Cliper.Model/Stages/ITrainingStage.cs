using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>A stage of training: the parameters that it trains and the loss that it minimizes.</summary>
internal interface ITrainingStage
{
    /// <summary>The stage, whose settings hold for it.</summary>
    TrainingStage Stage { get; }

    /// <summary>Parameters that it trains; all others are frozen.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Trained { get; }

    /// <summary>Whether the image tower is among them, and so works as in training.</summary>
    bool TrainsImageTower { get; }

    /// <summary>Whether its epochs are evaluated, and the best of them may become the run's model.</summary>
    bool IsEvaluated { get; }

    /// <summary>Computes the loss of a micro-batch.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="batch">The samples.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    StepLoss Loss(Tape tape, Batch batch, int epoch);
}

/// <summary>Contrastive pre-training of both towers on images and their captions.</summary>
internal sealed class PretrainStage(CliperModel model, ClipTokenizer tokenizer, TrainingData data) : ITrainingStage
{
    public TrainingStage Stage => TrainingStage.Pretrain;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained { get; } = [.. model.Clip.Parameters.Trainable()];

    public bool TrainsImageTower => true;

    public bool IsEvaluated => false;

    public StepLoss Loss(Tape tape, Batch batch, int epoch)
    {
        ContrastiveLoss.LimitScale(model.Clip);
        IReadOnlyList<int[]> captions = [.. data.CaptionsOf(batch, epoch)
            .Select(caption => tokenizer.Encode(caption, model.Clip.Config.ContextLength))];
        Tensor features = model.ImageFeatures(tape, batch.TakePixels(tape), batch.Frames);
        return new StepLoss(ContrastiveLoss.Of(tape, model.Clip, features, captions), null);
    }
}

/// <summary>CLIPER's stage 1: the prompt learner is trained against features of the frozen image tower.</summary>
internal sealed class PromptStage(CliperModel model, TrainSettings settings) : ITrainingStage
{
    public TrainingStage Stage => TrainingStage.Stage1;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained => model.Prompts.Parameters;

    public bool TrainsImageTower => false;

    public bool IsEvaluated => false;

    public StepLoss Loss(Tape tape, Batch batch, int epoch)
    {
        // The frozen image tower needs no tape: nothing of it is kept.
        Tensor features = tape.New(new Shape(batch.Count, model.Clip.Config.EmbedSize));
        using (var frozen = new Tape(tape.Device, recording: false))
            tape.Device.Copy(model.ImageFeatures(frozen, batch.TakePixels(frozen), batch.Frames).Data, features.Data);
        Tensor logits = model.Logits(tape, features, model.ClassFeatures(tape));
        return StageLoss.Of(tape, model.Prompts, logits, batch.Labels.AsSpan(0, batch.Count),
            settings.EmptySubclasses);
    }
}

/// <summary>CLIPER's stage 2: the image tower is fine-tuned against class features that no longer change.</summary>
internal sealed class ImageTowerStage : ITrainingStage, IDisposable
{
    private readonly CliperModel _model;
    private readonly TrainSettings _settings;
    private readonly Tape _tape;
    private readonly Tensor? _classFeatures;

    public ImageTowerStage(CliperModel model, TrainSettings settings)
    {
        (_model, _settings) = (model, settings);
        _tape = new Tape(model.Clip.Device, recording: false);
        // A copy outlives the many tensors that the text tower needs to compute it.
        using var inner = new Tape(model.Clip.Device, recording: false);
        if (model.ClassFeatures(inner) is { } features)
        {
            _classFeatures = _tape.New(features.Shape);
            model.Clip.Device.Copy(features.Data, _classFeatures.Data);
        }
    }

    public TrainingStage Stage => TrainingStage.Stage2;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained =>
        [.. _model.Clip.Parameters.Trainable().Where(parameter => ClipModel.IsVision(parameter.Name))];

    public bool TrainsImageTower => true;

    public bool IsEvaluated => true;

    public StepLoss Loss(Tape tape, Batch batch, int epoch)
    {
        Tensor logits = _model.ImageLogits(tape, batch.TakePixels(tape), batch.Frames, _classFeatures);
        return StageLoss.Of(tape, _model.Prompts, logits, batch.Labels.AsSpan(0, batch.Count),
            _settings.EmptySubclasses);
    }

    public void Dispose() => _tape.Dispose();
}
