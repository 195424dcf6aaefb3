using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Autograd.Optimizers;

namespace Cliper.Model.Checkpoints;

/// <summary>The place where an interrupted run goes on.</summary>
/// <param name="Stage">The current stage; null for a finished run. Files call it "phase", and "done" when it is
/// null.</param>
/// <param name="Epoch">The epoch to run next, or in progress, from 0.</param>
/// <param name="Step">Steps of that epoch already taken.</param>
/// <param name="BestWar">Best accuracy of a selection so far; negative for none.</param>
/// <param name="BestEpoch">Epoch of stage 2 that had it, from 1; 0 for none.</param>
/// <param name="LossScale">State of the loss scale within a stage with fp16 gradients; null elsewhere.</param>
internal sealed record TrainingState(
    [property: JsonPropertyName("phase"), JsonConverter(typeof(TrainingState.StageOrDone))] TrainingStage? Stage,
    int Epoch, int Step, double BestWar, int BestEpoch, LossScaler.State? LossScale = null)
{
    private const string Done = "done";

    /// <summary>Sums over the steps taken of the epoch in progress.</summary>
    public EpochSums Sums { get; init; }

    /// <summary>Counts of the CLIP alone, rows by true class; null where they are not measured, or not yet.</summary>
    public long[][]? ZeroShot { get; init; }

    /// <summary>Counts after stage 1; null where they are not measured, or not yet.</summary>
    public long[][]? AfterStage1 { get; init; }

    /// <summary>Whether the run has left <paramref name="stage"/> behind.</summary>
    public bool HasCompleted(TrainingStage stage) => Stage is not { } current || current > stage;

    /// <summary>Words for the place, such as "stage2, epoch 3, step 17".</summary>
    public string Place => Stage is { } stage
        ? FormattableString.Invariant($"{stage.Name()}, epoch {Epoch + 1}, step {Step + 1}") : "its end";

    /// <summary>Whether a step of an epoch lies before the place where the run goes on.</summary>
    /// <param name="stage">Stage of the step.</param>
    /// <param name="epoch">Its epoch, from 1.</param>
    /// <param name="step">Its number within the epoch, from 1.</param>
    public bool Contains(TrainingStage stage, int epoch, int step) => HasCompleted(stage)
        || (stage == Stage && (epoch - 1, step).CompareTo((Epoch, Step + 1)) < 0);

    /// <summary>The state at the beginning of the next stage.</summary>
    public TrainingState AtNextStage() => this with
    {
        Stage = Stage is { } current && current < TrainingStages.All[^1] ? current + 1 : null,
        Epoch = 0,
        Step = 0,
        Sums = default,
        LossScale = null,
    };

    /// <summary>Writes the stage by its name, and a finished run as "done".</summary>
    internal sealed class StageOrDone : JsonConverter<TrainingStage?>
    {
        public override bool HandleNull => true;

        public override TrainingStage? Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            string? name = reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
            foreach (TrainingStage stage in TrainingStages.All)
                if (stage.Name() == name)
                    return stage;
            return name == Done ? null : throw new JsonException("no such stage");
        }

        public override void Write(Utf8JsonWriter writer, TrainingStage? value, JsonSerializerOptions options) =>
            writer.WriteStringValue(value?.Name() ?? Done);
    }
}
