using System.Text.Json;
using Cliper.Model.Checkpoints;

namespace Cliper.Model.Tests.Training;

public sealed class TrainingStateTests
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    [TestCase(TrainingStage.Pretrain, "pretrain")]
    [TestCase(TrainingStage.Stage1, "stage1")]
    [TestCase(TrainingStage.Stage2, "stage2")]
    [TestCase(null, "done")]
    public void Json_OfAState_HasTheNamesOfVersion01(TrainingStage? stage, string name)
    {
        var state = new TrainingState(stage, 1, 2, -1, 0);

        string text = JsonSerializer.Serialize(state, Json);

        Assert.That(text, Does.StartWith($"{{\"phase\":\"{name}\",\"epoch\":1,\"step\":2,"));
        Assert.That(JsonSerializer.Deserialize<TrainingState>(text, Json), Is.EqualTo(state));
    }

    [Test]
    public void Json_UnknownStage_IsRefused() =>
        Assert.That(() => JsonSerializer.Deserialize<TrainingState>("""{"phase":"stage3","epoch":0,"step":0}""", Json),
            Throws.TypeOf<JsonException>());

    [Test]
    public void AtNextStage_FromTheFirst_PassesEveryStageOnce()
    {
        var state = new TrainingState(TrainingStage.Pretrain, 3, 4, -1, 0);
        foreach (TrainingStage stage in TrainingStages.All)
        {
            Assert.That((state.Stage, state.HasCompleted(stage)), Is.EqualTo(((TrainingStage?)stage, false)));
            state = state.AtNextStage();
            Assert.That((state.Epoch, state.Step, state.HasCompleted(stage)), Is.EqualTo((0, 0, true)));
        }
        Assert.That(state.Stage, Is.Null);
    }

    [TestCase(TrainingStage.Pretrain, 9, 9, true)]
    [TestCase(TrainingStage.Stage1, 2, 9, true)]
    [TestCase(TrainingStage.Stage1, 3, 2, true)]
    [TestCase(TrainingStage.Stage1, 3, 3, false)]
    [TestCase(TrainingStage.Stage1, 4, 1, false)]
    [TestCase(TrainingStage.Stage2, 1, 1, false)]
    public void Contains_StepsBeforeThePlace(TrainingStage stage, int epoch, int step, bool expected) =>
        // Two whole epochs and two steps of the third.
        Assert.That(new TrainingState(TrainingStage.Stage1, 2, 2, -1, 0).Contains(stage, epoch, step),
        Is.EqualTo(expected));
}
