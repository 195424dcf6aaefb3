namespace Cliper.Model.Settings;

/// <summary>Parts of CLIPER's loss that can be switched off, to measure what each of them does.</summary>
public sealed record LossSettings
{
    /// <summary>
    /// Whether the fine-grained cross-entropy of a sample is multiplied by its modulating factor alpha, which weighs
    /// rarely chosen descriptors up; off leaves a plain cross-entropy.
    /// </summary>
    public bool Modulation { get; init; } = true;

    /// <summary>Whether the margin loss is added to the fine-grained cross-entropy.</summary>
    public bool Margin { get; init; } = true;
}
