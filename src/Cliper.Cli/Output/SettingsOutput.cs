using Cliper.Model.Runs;
using Cliper.Model.Settings;

namespace Cliper.Cli;

/// <summary>The settings of a run that is not made, and remarks beside the paper.</summary>
internal static class SettingsOutput
{
    /// <summary>Writes the settings to standard output, and a line for each remark to standard error.</summary>
    /// <param name="terminal">Where to.</param>
    /// <param name="settings">The settings.</param>
    public static void Write(Terminal terminal, TrainSettings settings)
    {
        terminal.Documents.Write(SettingsJson.Write(settings));
        Dictionary<string, string> values = new(SettingsJson.Flat(settings));
        foreach (SettingRemark remark in ProtocolRemarks.Of(settings, clip: TrainingRun.ClipOf(settings)))
            terminal.Say(values.TryGetValue(remark.Setting, out string? value)
                ? $"{remark.Setting} = {value}: {remark.Text}" : $"{remark}");
    }
}
