namespace Cliper.Model.Settings;

/// <summary>Bounds of numbers in settings.</summary>
internal static class SettingRange
{
    /// <summary>Throws unless a number lies within its bounds, which belong to them.</summary>
    /// <param name="value">The number.</param>
    /// <param name="low">Smallest value.</param>
    /// <param name="high">Largest value.</param>
    /// <param name="name">Path of the setting.</param>
    /// <exception cref="SettingsException">Names the setting, the value and the bounds.</exception>
    public static void Check(double value, double low, double high, string name)
    {
        if (!(value >= low && value <= high))
            throw new SettingsException($"{name} is {value}; it must lie within {low} and {high}");
    }
}
