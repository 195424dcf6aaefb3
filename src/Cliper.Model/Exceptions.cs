namespace Cliper.Model;

/// <summary>
/// Data or weights are missing, damaged or of the wrong shape. The message names the file (and line or tensor), what
/// was expected and what was found, and the way out where it is the same for every caller.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>An error in what was read.</summary>
    public InputException(string message, Exception? inner = null) : base(message, inner)
    {
    }

    /// <summary>The way out, where a front end has to name it.</summary>
    public Remedy Remedy { get; init; }
}

/// <summary>
/// A setting or option is unknown or out of range. The message names it, its range and what was given.
/// </summary>
public sealed class SettingsException : Exception
{
    /// <summary>An error in the settings.</summary>
    public SettingsException(string message, Exception? inner = null) : base(message, inner)
    {
    }

    /// <summary>The way out, where a front end has to name it.</summary>
    public Remedy Remedy { get; init; }
}

/// <summary>
/// A training has diverged: a loss, a gradient or a weight is no longer a number. The message names the step, its
/// learning rate and gradient norm, and the last checkpoint from before.
/// </summary>
public sealed class DivergedException : Exception
{
    /// <summary>The end of a training that has diverged.</summary>
    /// <param name="message">The message.</param>
    /// <param name="stage">The stage that diverged.</param>
    /// <param name="hasCheckpoint">Whether a checkpoint from before was written.</param>
    public DivergedException(string message, TrainingStage stage, bool hasCheckpoint) : base(message) =>
        (Stage, HasCheckpoint) = (stage, hasCheckpoint);

    /// <summary>The stage that diverged.</summary>
    public TrainingStage Stage { get; }

    /// <summary>Whether the run has a checkpoint from before, to go on from.</summary>
    public bool HasCheckpoint { get; }
}

/// <summary>Another program works in a run's folder. The message names its process and its host.</summary>
public sealed class RunInUseException : IOException
{
    /// <summary>A folder that is taken.</summary>
    public RunInUseException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
