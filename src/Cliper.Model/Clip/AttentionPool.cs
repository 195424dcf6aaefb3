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
    public Tensor Forward(Tape tape, Tensor x)
    {
        int samples = x.Shape[0], pixels = x.Shape[1] * x.Shape[2], channels = x.Shape[3];
        using Tape.Scope scope = tape.BeginScope();
        Tensor tokens = tape.AddMeanToken(x.Reshape(new Shape(samples, pixels, channels)), _positions);
        Tensor rows = tokens.Reshape(new Shape(samples * (pixels + 1), channels));
        Tensor means = tape.Gather(rows, tape.Own(Tensor.From(tape.Device,
            [.. Enumerable.Range(0, samples).Select(sample => sample * (pixels + 1))], new Shape(samples))));
        Tensor queries = Project(tape, means, _query).Reshape(new Shape(samples, 1, channels));
        Tensor attended = tape.Attention(queries, Project(tape, tokens, _key), Project(tape, tokens, _value), heads);
        return scope.Keep(Project(tape, attended.Reshape(new Shape(samples, channels)), _output));
    }

    private static (Tensor, Tensor) Projection(ParameterSet parameters, string name) =>
        (parameters[$"{Prefix}{name}.weight"], parameters[$"{Prefix}{name}.bias"]);

    private static Tensor Project(Tape tape, Tensor x, (Tensor Weight, Tensor Bias) projection) =>
        tape.Linear(x, projection.Weight, projection.Bias);
}
