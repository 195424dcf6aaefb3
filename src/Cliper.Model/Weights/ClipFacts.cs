using Cliper.Kernels.Operations;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>Facts on a model that the shapes of its tensors do not tell; null where they are not stated.</summary>
internal sealed record ClipFacts
{
    public int? VisionHeads { get; init; }
    public int? TextHeads { get; init; }
    public Activation? Activation { get; init; }
    public float? LayerNormEpsilon { get; init; }
    public ChannelValues? Mean { get; init; }
    public ChannelValues? Std { get; init; }

    /// <summary>Whether nothing is left to be found or assumed.</summary>
    public bool IsComplete => VisionHeads is not null && TextHeads is not null && Activation is not null
        && Mean is not null && Std is not null;

    /// <summary>These facts, and the other's where there are none here.</summary>
    /// <exception cref="InputException">The two contradict each other.</exception>
    public ClipFacts Join(ClipFacts other, string path) => new()
    {
        VisionHeads = Join(VisionHeads, other.VisionHeads, "heads of the image tower", path),
        TextHeads = Join(TextHeads, other.TextHeads, "heads of the text tower", path),
        Activation = Join(Activation, other.Activation, "activation", path),
        LayerNormEpsilon = Join(LayerNormEpsilon, other.LayerNormEpsilon, "LayerNorm epsilon", path),
        Mean = Join(Mean, other.Mean, "channel means", path),
        Std = Join(Std, other.Std, "channel standard deviations", path),
    };

    /// <summary>These facts, and the other's where there are none here, whether or not they agree.</summary>
    public ClipFacts Or(ClipFacts other) => new()
    {
        VisionHeads = VisionHeads ?? other.VisionHeads,
        TextHeads = TextHeads ?? other.TextHeads,
        Activation = Activation ?? other.Activation,
        LayerNormEpsilon = LayerNormEpsilon ?? other.LayerNormEpsilon,
        Mean = Mean ?? other.Mean,
        Std = Std ?? other.Std,
    };

    /// <summary>These facts without those that are stated elsewhere.</summary>
    public ClipFacts Without(ClipFacts stated) => new()
    {
        VisionHeads = stated.VisionHeads is null ? VisionHeads : null,
        TextHeads = stated.TextHeads is null ? TextHeads : null,
        Activation = stated.Activation is null ? Activation : null,
        LayerNormEpsilon = stated.LayerNormEpsilon is null ? LayerNormEpsilon : null,
        Mean = stated.Mean is null ? Mean : null,
        Std = stated.Std is null ? Std : null,
    };

    private static T? Join<T>(T? first, T? second, string what, string path) where T : struct =>
        first is { } a && second is { } b && !a.Equals(b)
            ? throw new InputException(
                $"{path}: {what}: the configuration beside it or the file's metadata says {a}, the file itself {b}; "
                + "correct or remove one of them")
            : first ?? second;
}
