namespace Cliper.Model.Clip;

/// <summary>
/// Says which weights OpenAI's loader keeps in fp16: those of convolutions, linear layers and attention, and both
/// projections. Normalizations, embeddings and the logit scale stay in fp32.
/// </summary>
internal static class HalfWeights
{
    private static readonly string[] InFloat = ["class_embedding", "positional_embedding", "token_embedding.weight",
        "logit_scale"];

    /// <summary>Whether a parameter is one of them; learned vectors of a prompt are too.</summary>
    /// <param name="name">Name of the parameter, as OpenAI's checkpoints have it.</param>
    public static bool Has(string name) => !InFloat.Any(end => name.EndsWith(end, StringComparison.Ordinal))
        && !name.Split('.').Any(part => part.StartsWith("ln_", StringComparison.Ordinal)
            || part.StartsWith("bn", StringComparison.Ordinal))
        && !name.Contains("downsample.1", StringComparison.Ordinal);
}
