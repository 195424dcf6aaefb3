namespace Cliper.Kernels.Operations;

/// <summary>The activation that a linear layer applies to its result, in the same pass.</summary>
public enum Activation
{
    /// <summary>The result as it is.</summary>
    None,

    /// <summary><see cref="QuickGelu"/>: OpenAI's CLIP.</summary>
    QuickGelu,

    /// <summary><see cref="Gelu"/>: some CLIPs trained by others.</summary>
    Gelu,
}
