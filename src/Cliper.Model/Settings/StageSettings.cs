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

/// <summary>An optimizer.</summary>
public enum OptimizerKind
{
    /// <summary>Adam with decoupled weight decay.</summary>
    [JsonStringEnumMemberName("adamw")]
    AdamW,

    /// <summary>Stochastic gradient descent with momentum; weight decay is added to the gradient.</summary>
    Sgd,
}

/// <summary>Where stages with a frozen image tower take its features from.</summary>
public enum FeatureSource
{
    /// <summary>The tower computes them anew in every step, of augmented images.</summary>
    Computed,

    /// <summary>One pass of the tower over the images as they are, kept in memory: epochs take moments.</summary>
    Cached,
}

/// <summary>Settings of one stage of training: pre-training, stage 1 or stage 2.</summary>
public sealed record StageSettings
{
    /// <summary>Passes over the training split; 0 leaves the stage out.</summary>
    public int Epochs { get; init; }

    /// <summary>Samples (images or clips) a step.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>Peak learning rate.</summary>
    public float LearningRate { get; init; }

    /// <summary>How the rate changes.</summary>
    public ScheduleKind Schedule { get; init; }

    /// <summary>Epochs of one cosine with <see cref="ScheduleKind.CosineRestarts"/>.</summary>
    public int RestartEpochs { get; init; } = 10;

    /// <summary>Epochs (fractions allowed) in which the rate grows linearly from zero.</summary>
    public float WarmUpEpochs { get; init; }

    /// <summary>The optimizer.</summary>
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

    /// <summary>Micro-batches whose gradients add up to one step.</summary>
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
}
