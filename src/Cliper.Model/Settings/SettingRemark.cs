namespace Cliper.Model.Settings;

/// <summary>A remark on a setting, for whoever compares a result with the paper's.</summary>
/// <param name="Setting">Path of the setting in config.json; empty for a remark on the data or the weights.</param>
/// <param name="Text">Words on the value, which follow the setting's name and value.</param>
/// <param name="IsUnknown">Whether the paper's value is not known to us, so that the setting's is a guess.</param>
public sealed record SettingRemark(string Setting, string Text, bool IsUnknown = false)
{
    /// <summary>The words with which a remark on an unknown value begins.</summary>
    internal const string NotKnown = "not known to us";

    /// <inheritdoc/>
    public override string ToString() => Setting.Length > 0 ? $"{Setting}: {Text}" : Text;
}
