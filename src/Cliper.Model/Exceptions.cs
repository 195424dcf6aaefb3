namespace Cliper.Model;

/// <summary>
/// Data or weights are missing, damaged or of the wrong shape. The message names the file (and line or tensor), what
/// was expected, what was found, and what to do. The program ends with exit code 3.
/// </summary>
public sealed class InputException : Exception
{
    /// <summary>An error in what was read.</summary>
    public InputException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}

/// <summary>
/// A setting or option is unknown or out of range. The message names it, its range and what was given. The program ends
/// with exit code 2.
/// </summary>
public sealed class SettingsException : Exception
{
    /// <summary>An error in the settings.</summary>
    public SettingsException(string message, Exception? inner = null) : base(message, inner)
    {
    }
}
