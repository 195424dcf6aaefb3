using System.Text.Json.Serialization;

namespace Cliper.Model.Settings;

/// <summary>How a learning rate changes over a stage.</summary>
public enum ScheduleKind
{
    /// <summary>It does not.</summary>
    Constant,

    /// <summary>Half a cosine from the full rate to zero at the end of the stage (the paper).</summary>
    Cosine,

    /// <summary>
    /// A cosine that restarts every <see cref="StageSettings.RestartEpochs"/> epochs (the authors' script).
    /// </summary>
    CosineRestarts,

    /// <summary>
    /// CoOp's, once an epoch: the first at a constant 1e-5, then a cosine as long as the whole stage, which so ends
    /// above zero.
    /// </summary>
    LateCosine,
}

/// <summary>Where stages with a frozen image tower take its features from.</summary>
public enum FeatureSource
{
    /// <summary>The tower computes them anew in every step, of augmented images.</summary>
    Computed,

    /// <summary>One pass of the tower over the images as they are, kept in memory: epochs take moments.</summary>
    Cached,
}

/// <summary>Rules by which a step changes the weights.</summary>
public enum OptimizerKind
{
    /// <summary>AdamW in fp32, whatever the precision of the products.</summary>
    [JsonStringEnumMemberName("adamw")]
    AdamW,

    /// <summary>AdamW as the authors run it: weights and moments are rounded to fp16 after each operation.</summary>
    [JsonStringEnumMemberName("adamw-half")]
    AdamWHalf,

    /// <summary>Stochastic gradient descent with momentum; weight decay is added to the gradient.</summary>
    Sgd,
}

/// <summary>Settings of one stage of training: pre-training, stage 1 or stage 2.</summary>
public sealed record StageSettings
{
    /// <summary>Passes over the training split; 0 leaves the stage out.</summary>
    public int Epochs { get; init; }

    /// <summary>Samples (images or clips) a step, all its micro-batches together.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>Peak learning rate.</summary>
    public float LearningRate { get; init; }

    /// <summary>How the rate changes.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Epochs of one cosine with <see cref="ScheduleKind.CosineRestarts"/>.</summary>
    public int RestartEpochs { get; init; } = 10;

    /// <summary>Epochs (fractions allowed) in which the rate grows linearly from zero.</summary>
    public float WarmUpEpochs { get; init; }

    /// <summary>Rule by which a step changes the weights.</summary>
    public OptimizerKind Optimizer { get; init; }

    /// <summary>SGD's factor of the velocity.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Weight decay: AdamW's is decoupled, SGD's is added to the gradient.</summary>
    public float WeightDecay { get; init; }

    /// <summary>AdamW's epsilon.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>AdamW's decay of the mean gradient.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW's decay of the mean squared gradient.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Largest global gradient norm; 0 for no limit.</summary>
    public float MaxGradientNorm { get; init; }

    /// <summary>Micro-batches that a step is divided into: less memory, a forward pass more. Divides
    /// <see cref="BatchSize"/>.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Name of the augmentation: none, light, strong, script, paper or coop.</summary>
    public string Augmentation { get; init; } = "none";

    /// <summary>
    /// Epochs over which the augmentation grows from nothing to its full strength; 0 for full from the first. A model
    /// that begins with random weights finds the signal sooner in images that stay where they are, and is kept from
    /// learning them by heart later.
    /// </summary>
    public int AugmentationRampEpochs { get; init; }

    /// <summary>
    /// Decay a step of the moving average of the trained weights (EMA), which is then what epochs are evaluated with
    /// and what the stage ends with; 0 for the last step's own weights.
    /// </summary>
    public float AverageDecay { get; init; }

    /// <summary>
    /// Part of the right answer that is shared by all classes alike (label smoothing, arXiv 1512.00567, section 7);
    /// 0 for none. Pre-training alone has it: CLIPER's losses are fixed.
    /// </summary>
    public float LabelSmoothing { get; init; }

    /// <summary>Computes blocks again in the backward pass: less memory, a third more work.</summary>
    public bool RecomputeBlocks { get; init; }

    /// <summary>Throws on numbers that no stage can have.</summary>
    /// <param name="name">Name of the stage, for errors.</param>
    /// <exception cref="SettingsException">Names the setting and its range.</exception>
    internal void Check(string name)
    {
        SettingRange.Check(Epochs, 0, 100_000, $"{name}.epochs");
        if (Epochs == 0)
            return;
        SettingRange.Check(BatchSize, 1, 65_536, $"{name}.batchSize");
        SettingRange.Check(LearningRate, 1e-12, 10, $"{name}.learningRate");
        SettingRange.Check(RestartEpochs, 1, 100_000, $"{name}.restartEpochs");
        SettingRange.Check(WarmUpEpochs, 0, Epochs, $"{name}.warmUpEpochs");
        SettingRange.Check(WeightDecay, 0, 10, $"{name}.weightDecay");
        SettingRange.Check(Epsilon, 0, 1, $"{name}.epsilon");
        SettingRange.Check(Beta1, 0, 0.99999, $"{name}.beta1");
        SettingRange.Check(Beta2, 0, 0.9999999, $"{name}.beta2");
        SettingRange.Check(MaxGradientNorm, 0, float.MaxValue, $"{name}.maxGradientNorm");
        SettingRange.Check(AugmentationRampEpochs, 0, 100_000, $"{name}.augmentationRampEpochs");
        SettingRange.Check(AverageDecay, 0, 0.99999, $"{name}.averageDecay");
        SettingRange.Check(LabelSmoothing, 0, 0.9, $"{name}.labelSmoothing");
        if (LabelSmoothing > 0 && name != TrainingStage.Pretrain.Name())
            throw new SettingsException($"{name}.labelSmoothing is {LabelSmoothing}; only pre-training has it");
        SettingRange.Check(Accumulate, 1, BatchSize, $"{name}.accumulate");
    }
}
