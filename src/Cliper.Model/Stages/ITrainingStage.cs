using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>How the epochs of a stage are evaluated.</summary>
internal enum StageEvaluation
{
    /// <summary>They are not.</summary>
    None,

    /// <summary>Zero-shot, by captions of the classes, for the terminal and the metrics alone.</summary>
    ZeroShot,

    /// <summary>By the prompts; the best of them may become the run's model.</summary>
    Prompts,
}

/// <summary>A stage of training: the parameters that it trains and the loss that it minimizes.</summary>
internal interface ITrainingStage
{
    /// <summary>The stage, whose settings hold for it.</summary>
    TrainingStage Stage { get; }

    /// <summary>Parameters that it trains; all others are frozen.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> Trained { get; }

    /// <summary>Whether the image tower is among them, and so works as in training.</summary>
    bool TrainsImageTower { get; }

    /// <summary>Features of the training split that take the place of its pictures; null to compute them.</summary>
    FeatureTable? KeptFeatures => null;

    /// <summary>Factor of the learning rate of a parameter.</summary>
    /// <param name="name">Its name.</param>
    float LearningRateFactor(string name) => 1;

    /// <summary>How its epochs are evaluated.</summary>
    StageEvaluation Evaluation { get; }

    /// <summary>Computes the loss of a micro-batch.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="batch">The samples.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    StepLoss Loss(Tape tape, Batch batch, int epoch);
}

/// <summary>
/// A stage whose loss takes the images by their features alone, so that a step's images can be encoded in parts and
/// their loss still be that of the whole batch: see <see cref="GatheredStep"/>.
/// </summary>
internal interface IFeatureStage : ITrainingStage
{
    /// <summary>Numbers of a feature, D.</summary>
    int FeatureSize { get; }

    /// <summary>Computes the features of images or clips.</summary>
    /// <param name="tape">The tape of the step, or of a part of it.</param>
    /// <param name="images">Input of the image tower, samples * frames.</param>
    /// <param name="frames">Frames of each sample.</param>
    /// <returns>[samples, D], not normalized.</returns>
    Tensor Features(Tape tape, Tensor images, int frames);

    /// <summary>Computes the loss of a batch.</summary>
    /// <param name="tape">The tape of the step.</param>
    /// <param name="features">Features of the batch's samples.</param>
    /// <param name="batch">The samples.</param>
    /// <param name="epoch">The epoch, from 0.</param>
    StepLoss Loss(Tape tape, Tensor features, Batch batch, int epoch);
}

/// <summary>Contrastive pre-training of both towers on images and their captions.</summary>
internal sealed class PretrainStage(CliperModel model, ClipTokenizer tokenizer, TrainingData data) : IFeatureStage
{
    public TrainingStage Stage => TrainingStage.Pretrain;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained { get; } = [.. model.Clip.Parameters.Trainable()];

    public bool TrainsImageTower => true;

    public StageEvaluation Evaluation => StageEvaluation.ZeroShot;

    public int FeatureSize => model.Clip.Config.EmbedSize;

    public StepLoss Loss(Tape tape, Batch batch, int epoch) =>
        Loss(tape, Features(tape, batch.TakePixels(tape), batch.Frames), batch, epoch);

    public Tensor Features(Tape tape, Tensor images, int frames)
    {
        // It reads the temperature, which waits for the device: later it would wait for the features, too.
        ContrastiveLoss.LimitScale(model.Clip);
        return model.ImageFeatures(tape, images, frames);
    }

    public StepLoss Loss(Tape tape, Tensor features, Batch batch, int epoch)
    {
        // A rank without a sample computes no features.
        if (tape.Device.Ranks.Size > 1)
            ContrastiveLoss.LimitScale(model.Clip);
        IReadOnlyList<int[]> captions = [.. data.CaptionsOf(batch, epoch)
            .Select(caption => tokenizer.Encode(caption, model.Clip.Config.ContextLength))];
        return new StepLoss(ContrastiveLoss.Of(tape, model.Clip, features, captions,
            data.Settings.Pretrain.LabelSmoothing), null);
    }
}

/// <summary>CLIPER's stage 1, and all of CoOp and CoCoOp: the prompt learner is trained against features of the frozen
/// image tower.</summary>
internal sealed class PromptStage(CliperModel model, StageLoss objective, FeatureTable? kept = null) : IFeatureStage
{
    public FeatureTable? KeptFeatures => kept;

    public int FeatureSize => model.Clip.Config.EmbedSize;

    public TrainingStage Stage => TrainingStage.Stage1;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained => model.Prompts.Parameters;

    public bool TrainsImageTower => false;

    public StageEvaluation Evaluation => StageEvaluation.None;

    public StepLoss Loss(Tape tape, Batch batch, int epoch) =>
        Loss(tape, FrozenFeatures.Of(tape, model, batch), batch, epoch);

    public Tensor Features(Tape tape, Tensor images, int frames) =>
        FrozenFeatures.Of(tape, model, images, frames);

    public StepLoss Loss(Tape tape, Tensor features, Batch batch, int epoch) => objective.Of(tape, model.Prompts,
        model.Logits(tape, features, model.ClassFeatures(tape)), batch.Labels.AsSpan(0, batch.Count));
}

/// <summary>CLIPER's stage 2: the image tower is fine-tuned against class features that no longer change.</summary>
internal sealed class ImageTowerStage : IFeatureStage, IDisposable
{
    private readonly CliperModel _model;
    private readonly StageLoss _objective;
    private readonly Tape _tape;
    private readonly Tensor? _classFeatures;

    public ImageTowerStage(CliperModel model, StageLoss objective)
    {
        (_model, _objective) = (model, objective);
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

    public int FeatureSize => _model.Clip.Config.EmbedSize;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained =>
        [.. _model.Clip.Parameters.Trainable().Where(parameter => ClipModel.IsVision(parameter.Name))];

    public bool TrainsImageTower => true;

    public StageEvaluation Evaluation => StageEvaluation.Prompts;

    public StepLoss Loss(Tape tape, Batch batch, int epoch) =>
        Loss(tape, Features(tape, batch.TakePixels(tape), batch.Frames), batch, epoch);

    public Tensor Features(Tape tape, Tensor images, int frames) => _model.ImageFeatures(tape, images, frames);

    public StepLoss Loss(Tape tape, Tensor features, Batch batch, int epoch) => _objective.Of(tape, _model.Prompts,
        _model.Logits(tape, features, _classFeatures), batch.Labels.AsSpan(0, batch.Count));

    public void Dispose() => _tape.Dispose();
}
