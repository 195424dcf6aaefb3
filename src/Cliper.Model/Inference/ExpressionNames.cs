using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>The names of answers.</summary>
/// <param name="Classes">Class names, in the order of the probabilities.</param>
/// <param name="LeastProbability">An answer that is less probable is called <see cref="Uncertain"/>.</param>
public sealed record ExpressionNames(IReadOnlyList<string> Classes, float LeastProbability = 0)
{
    /// <summary>The name of an answer that is not sure enough.</summary>
    public const string Uncertain = "uncertain";

    /// <summary>The name of an answer.</summary>
    public string Of(Prediction prediction) =>
        prediction.Probabilities[prediction.Class] < LeastProbability ? Uncertain : Classes[prediction.Class];
}
