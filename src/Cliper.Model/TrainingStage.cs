using System.Text.Json.Serialization;

namespace Cliper.Model;

/// <summary>A stage of training, in the order in which they run. Files name it "pretrain", "stage1" or
/// "stage2".</summary>
[JsonConverter(typeof(JsonStringEnumConverter<TrainingStage>))]
public enum TrainingStage
{
    /// <summary>Contrastive pre-training of both towers.</summary>
    [JsonStringEnumMemberName("pretrain")]
    Pretrain,

    /// <summary>CLIPER's stage 1: the prompts are learned, both towers are frozen.</summary>
    [JsonStringEnumMemberName("stage1")]
    Stage1,

    /// <summary>CLIPER's stage 2: the image tower is fine-tuned, prompts and text tower are frozen.</summary>
    [JsonStringEnumMemberName("stage2")]
    Stage2,
}

/// <summary>Names of stages.</summary>
public static class TrainingStages
{
    /// <summary>Every stage, in order.</summary>
    public static IReadOnlyList<TrainingStage> All { get; } = Enum.GetValues<TrainingStage>();

    /// <summary>The stage's name in settings, metrics, checkpoints and messages.</summary>
    public static string Name(this TrainingStage stage) => stage switch
    {
        TrainingStage.Pretrain => "pretrain",
        TrainingStage.Stage1 => "stage1",
        TrainingStage.Stage2 => "stage2",
        _ => throw new ArgumentOutOfRangeException(nameof(stage), stage, "no such stage"),
    };
}
