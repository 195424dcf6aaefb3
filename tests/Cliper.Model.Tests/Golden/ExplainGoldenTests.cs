using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Interpretation;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Golden;

/// <summary>Maps over patches and pixels against PyTorch.</summary>
public sealed class ExplainGoldenTests : MethodGoldenTests
{
    private const string Prefix = "explain_";

    private static IEnumerable<TestCaseData> Sets => GoldenSet.OfMethod(Prefix);

    [TestCaseSource(nameof(Sets))]
    public void MapsAgree(GoldenSet set)
    {
        using TensorSource golden = set.OpenMethod(Prefix);
        using ClipWeights weights = set.LoadMethodWeights();
        // A head without a bias on normalized features, its rows the class features over the temperature, scores as the
        // reference does.
        var clip = new ClipModel(Device, weights);
        Tensor classes = Read(golden, "class_features");
        float[] rows = [.. classes.ToArray().Select(value => value / clip.Temperature)];
        classes.Dispose();
        using CliperModel model = Model(clip, new LinearHead(LinearHead.ProbeName,
            Tensor.From(Device, rows, classes.Shape), Tensor.From(Device, new float[classes.Shape[0]],
            new Shape(classes.Shape[0])), normalize: true));
        using var tape = new Tape(Device, recording: false);
        using Tensor images = Read(golden, "images");
        AttentionMaps maps = AttentionMaps.Of(model, model.ClassFeatures(tape), images, label: null);
        int[] samples = [.. Enumerable.Range(0, maps.Chosen.Count)];

        AssertAgrees(golden, "logits", maps.Logits, "logits");
        Assert.That(maps.Chosen, Is.EqualTo(Integers(golden, "chosen")), "chosen");
        foreach ((string name, MapMethod method) in new[] { ("rollout", MapMethod.Rollout),
            ("relevance", MapMethod.Relevance), ("relevance_last_layer", MapMethod.LastLayer),
            ("saliency", MapMethod.Gradient) })
            AssertAgrees(golden, name, [.. samples.SelectMany(sample => maps.Of(method, sample).Values)], name);
        AssertAgrees(golden, "last_attention",
            [.. samples.SelectMany(sample => maps.LastAttention(sample).SelectMany(head => head))], "last_attention");
    }
}
