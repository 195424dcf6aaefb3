namespace Cliper.Model.Settings;

/// <summary>The beginning of a linear head.</summary>
public enum HeadInit
{
    /// <summary>Uniform within 1 / sqrt(D), weight and bias, as PyTorch begins a linear layer.</summary>
    Random,

    /// <summary>
    /// The zero-shot classifier: the weight is the class features times the logit scale, the bias zero. It asks for
    /// normalized features.
    /// </summary>
    [System.Text.Json.Serialization.JsonStringEnumMemberName("zero-shot")]
    ZeroShot,
}

/// <summary>The linear head of full fine-tuning and of the linear probe.</summary>
public sealed record HeadSettings
{
    /// <summary>Whether features are normalized before the head.</summary>
    public bool Normalize { get; init; }

    /// <summary>The head's beginning.</summary>
    public HeadInit Init { get; init; }

    /// <summary>
    /// Factor of the head's learning rate over the tower's in full fine-tuning: a new head at the tower's 5e-6 hardly
    /// moves. 1 is the paper to the letter.
    /// </summary>
    public float LearningRateFactor { get; init; } = 100;

    /// <summary>Checks the values.</summary>
    /// <exception cref="SettingsException">One is out of range, or two exclude each other.</exception>
    internal void Check()
    {
        if (LearningRateFactor is not (> 0 and <= 1e6f))
            throw new SettingsException(
                $"head.learningRateFactor is {LearningRateFactor}; it must lie above 0 and within 1e6");
        if (Init == HeadInit.ZeroShot && !Normalize)
            throw new SettingsException("head.init is zero-shot, which scores normalized features: set "
                + "head.normalize=true too");
    }
}
