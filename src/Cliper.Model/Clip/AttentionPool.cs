using Cliper.Autograd;

namespace Cliper.Model.Clip;

/// <summary>
/// The attention pooling at the end of CLIP's ResNets: the pixels of the last feature map and, before them, their mean
/// become tokens with positions; the mean asks all of them, by attention of several heads, and what it gets is
/// projected to the feature.
/// </summary>
/// <param name="parameters">Holds the tensors in OpenAI's naming.</param>
/// <param name="heads">Attention heads.</param>
internal sealed class AttentionPool(ParameterSet parameters, int heads)
{
    private const string Prefix = "visual.attnpool.";

    private readonly Tensor _positions = parameters[Prefix + "positional_embedding"];
    private readonly (Tensor Weight, Tensor Bias) _query = Projection(parameters, "q_proj"),
        _key = Projection(parameters, "k_proj"), _value = Projection(parameters, "v_proj"),
        _output = Projection(parameters, "c_proj");

    /// <summary>[N, H, W, C] to [N, D].</summary>
    /// <param name="tape">The step.</param>
    /// <param name="x">The last feature map.</param>
    /// <param name="trace">Keeps what the attention worked with; null for nobody.</param>
    public Tensor Forward(Tape tape, Tensor x, AttentionTrace? trace = null)
    {
        int samples = x.Shape[0], pixels = x.Shape[1] * x.Shape[2], channels = x.Shape[3];
        using Tape.Scope scope = tape.BeginScope();
        Tensor tokens = tape.AddMeanToken(x.Reshape(new Shape(samples, pixels, channels)), _positions);
        Tensor rows = tokens.Reshape(new Shape(samples * (pixels + 1), channels));
        Tensor means = tape.Gather(rows, tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, samples).Select(sample => sample * (pixels + 1))], new Shape(samples))));
        Tensor queries = Project(tape, means, _query).Reshape(new Shape(samples, 1, channels));
        Tensor keys = Project(tape, tokens, _key), values = Project(tape, tokens, _value);
        Tensor attended = tape.Attention(queries, keys, values, heads);
        if (trace is not null)
            attended = trace.KeepCross(tape, (queries, keys, values), attended, heads);
        // Features are fp32 on every device, as a vision transformer's are.
        Tensor features = tape.MatMul(attended.Reshape(new Shape(samples, channels)), _output.Weight, transposeB: true);
        Tensor bias = tape.Gather(_output.Bias.Reshape(new Shape(1, features.Shape.Width)),
            tape.Own(Tensor.From(tape.Device, new int[samples], new Shape(samples))));
        return scope.Keep(tape.Add(features, bias));
    }

    private static (Tensor, Tensor) Projection(ParameterSet parameters, string name) =>
        (parameters[$"{Prefix}{name}.weight"], parameters[$"{Prefix}{name}.bias"]);

    private static Tensor Project(Tape tape, Tensor x, (Tensor Weight, Tensor Bias) projection) =>
        tape.Linear(x, projection.Weight, projection.Bias);
}
