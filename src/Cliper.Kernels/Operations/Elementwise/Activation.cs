namespace Cliper.Kernels.Operations;

/// <summary>The activation that a linear layer applies to its result, in the same pass.</summary>
public enum Activation
{
    /// <summary>The result as it is.</summary>
    None,

    /// <summary><see cref="Operations.QuickGelu"/>: OpenAI's CLIP.</summary>
    QuickGelu,

    /// <summary><see cref="Operations.Gelu"/>: some CLIPs trained by others.</summary>
    Gelu,
}
