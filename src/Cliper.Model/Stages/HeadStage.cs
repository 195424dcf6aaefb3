using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;

namespace Cliper.Model.Stages;

/// <summary>
/// A linear head is trained by cross-entropy in the place of stage 2: together with the image tower, which is full
/// fine-tuning, or alone on its frozen features, which is the linear probe by gradient descent.
/// </summary>
/// <param name="model">The model, whose prompt learner is the head.</param>
/// <param name="objective">The loss.</param>
/// <param name="trainsTower">Whether the image tower is trained too.</param>
/// <param name="headFactor">Factor of the head's learning rate.</param>
/// <param name="kept">Features of the training split, for a frozen tower; null to compute them.</param>
internal sealed class HeadStage(CliperModel model, StageLoss objective, bool trainsTower, float headFactor,
    FeatureTable? kept) : IFeatureStage
{
    public TrainingStage Stage => TrainingStage.Stage2;

    public IReadOnlyList<(string Name, Tensor Tensor)> Trained =>
    [
        .. model.Clip.Parameters.Trainable().Where(entry => trainsTower && ClipModel.IsVision(entry.Name)),
        .. model.Prompts.Parameters,
    ];

    public int FeatureSize => model.Clip.Config.EmbedSize;

    public bool TrainsImageTower => trainsTower;

    public FeatureTable? KeptFeatures => kept;

    // With a frozen tower an epoch takes moments, and a pass of the tower over the test split would not.
    public StageEvaluation Evaluation => trainsTower ? StageEvaluation.Prompts : StageEvaluation.None;

    public float LearningRateFactor(string name) =>
        model.Prompts.Parameters.Any(entry => entry.Name == name) ? headFactor : 1;

    public StepLoss Loss(Tape tape, Batch batch, int epoch) => Loss(tape, trainsTower
        ? model.ImageFeatures(tape, batch.TakePixels(tape), batch.Frames) : FrozenFeatures.Of(tape, model, batch),
        batch, epoch);

    public Tensor Features(Tape tape, Tensor images, int frames) => trainsTower
        ? model.ImageFeatures(tape, images, frames) : FrozenFeatures.Of(tape, model, images, frames);

    public StepLoss Loss(Tape tape, Tensor features, Batch batch, int epoch) => objective.Of(tape, model.Prompts,
        model.Logits(tape, features, model.ClassFeatures(tape)), batch.Labels.AsSpan(0, batch.Count));
}
