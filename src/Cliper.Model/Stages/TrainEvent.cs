namespace Cliper.Model.Stages;

/// <summary>An event that a run reports while it works.</summary>
public abstract record TrainEvent;

/// <summary>A line for the person, such as what the data holds or why a stage is left out.</summary>
/// <param name="Text">One sentence.</param>
/// <param name="Warning">Whether the person should look at it.</param>
public sealed record MessageEvent(string Text, bool Warning = false) : TrainEvent
{
    /// <summary>The way out, where a front end has to name it.</summary>
    public Remedy Remedy { get; init; }
}

/// <summary>A long work goes on that is no training, such as an evaluation; told by the second.</summary>
/// <param name="Work">Words for it.</param>
/// <param name="Fraction">How much of it is done, 0 to 1.</param>
public sealed record WorkEvent(string Work, double Fraction) : TrainEvent;

/// <summary>A step has been taken.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Epochs">Number of epochs in this stage.</param>
/// <param name="Step">Number of the step within the epoch, from 1.</param>
/// <param name="Steps">Number of steps of an epoch.</param>
/// <param name="Loss">The loss that was minimized.</param>
/// <param name="Fine">Fine-grained cross-entropy; null in pre-training.</param>
/// <param name="Margin">Margin loss; null in pre-training.</param>
/// <param name="LearningRate">Learning rate used for this step.</param>
/// <param name="GradientNorm">Global gradient norm before clipping.</param>
/// <param name="Skipped">Whether a non-finite gradient left the step out.</param>
/// <param name="ImagesPerSecond">Images or frames a second, over the last steps.</param>
/// <param name="WaitShare">Fraction of the time spent waiting for data.</param>
/// <param name="Remaining">Time until the end of the stage.</param>
/// <param name="MemoryBytes">Most device memory in use at once.</param>
public sealed record StepEvent(TrainingStage Stage, int Epoch, int Epochs, int Step, int Steps, float Loss, float? Fine,
    float? Margin, float LearningRate, float GradientNorm, bool Skipped, double ImagesPerSecond, double WaitShare,
    TimeSpan Remaining, long MemoryBytes) : TrainEvent
{
    /// <summary>Share of the step's samples with the right answer, 0 to 1; null in pre-training.</summary>
    public double? Accuracy { get; init; }
}

/// <summary>An epoch has ended.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Epoch">Number of the epoch, from 1.</param>
/// <param name="Epochs">Number of epochs in this stage.</param>
/// <param name="Steps">Number of steps of an epoch.</param>
/// <param name="Loss">Mean over the epoch's steps.</param>
/// <param name="Fine">Mean fine-grained cross-entropy; null in pre-training.</param>
/// <param name="Margin">Mean margin loss; null in pre-training.</param>
/// <param name="LearningRate">Learning rate of the last step.</param>
/// <param name="ImagesPerSecond">Images or frames a second.</param>
/// <param name="WaitShare">Fraction of the time spent waiting for data.</param>
/// <param name="Seconds">Time of training, evaluation left out.</param>
/// <param name="SkippedSteps">Steps left out for a non-finite gradient.</param>
/// <param name="EvaluatedOn">Name of the split evaluated; null if none was.</param>
/// <param name="War">Accuracy on it, 0 to 1.</param>
/// <param name="Uar">Mean recall over the classes on it, 0 to 1.</param>
public sealed record EpochEvent(TrainingStage Stage, int Epoch, int Epochs, int Steps, float Loss, float? Fine,
    float? Margin,
    float LearningRate, double ImagesPerSecond, double WaitShare, double Seconds, int SkippedSteps, string? EvaluatedOn,
    double? War, double? Uar) : TrainEvent
{
    /// <summary>Share of the training samples with the right answer when they were seen, 0 to 1; null in
    /// pre-training.</summary>
    public double? Accuracy { get; init; }
}
