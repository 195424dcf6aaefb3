using Cliper.Model.Prompts;

namespace Cliper.Model.Export;

/// <summary>The answer of a CLIPER as nodes: see <see cref="Prediction"/>.</summary>
/// <param name="graph">The graph that gets them.</param>
/// <param name="model">The model.</param>
/// <param name="rule">How it scores a feature.</param>
internal sealed class OnnxHead(OnnxGraph graph, CliperModel model, OnnxScores rule)
{
    /// <summary>Names of the outputs.</summary>
    public const string Probabilities = "probabilities", Logits = "logits", Features = "features",
        Descriptor = "descriptor";

    // A feature of zeros stays one, as in the program itself: 0 divided by anything but 0.
    private const float SmallestSquare = 1e-30f;

    /// <summary>Adds the four outputs.</summary>
    /// <param name="features">[N, D], not normalized.</param>
    public void Add(string features)
    {
        int width = model.Clip.Config.EmbedSize, classes = model.Classes.Count, each = model.Prompts.PromptsPerClass;
        string scores = graph.Node("MatMul", [rule.IsNormalized ? Normalized(features) : features,
            graph.Exact("scores.weight", () => OnnxLayers.Transpose(rule.Weight, classes * each, width), width,
                classes * each)]);
        if (rule.Bias.Any(value => value != 0))
            scores = graph.Node("Add", [scores, graph.Constant(rule.Bias, classes * each)]);
        scores = graph.Node("Reshape", [scores, graph.Integers(0, classes, each)]);
        string means = graph.Mean(scores, axis: 2, keepAxis: false);
        string logits = graph.Node("Div", [means, graph.Constant([model.AnswerTemperature])]);
        string probabilities = graph.Node("Softmax", [logits], "", ("axis", -1));
        string nearest = graph.Node("ArgMax", [scores], "", ("axis", 2), ("keepdims", 0));
        string best = graph.Node("ArgMax", [means], "", ("axis", 1), ("keepdims", 1));
        string descriptor = graph.Node("Reshape", [graph.Node("GatherElements", [nearest, best], "", ("axis", 1)),
            graph.Integers(-1)]);
        graph.Output(probabilities, Probabilities, OnnxType.Float, -1, classes);
        graph.Output(logits, Logits, OnnxType.Float, -1, classes);
        graph.Output(features, Features, OnnxType.Float, -1, width);
        graph.Output(descriptor, Descriptor, OnnxType.Int64, -1);
    }

    private string Normalized(string features)
    {
        string squares = graph.Node("ReduceSum", [graph.Node("Mul", [features, features]), graph.Integers(-1)], "",
            ("keepdims", 1));
        return graph.Node("Div", [features, graph.Node("Sqrt",
            [graph.Node("Max", [squares, graph.Constant([SmallestSquare])])])]);
    }
}
