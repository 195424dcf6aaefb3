using System.CommandLine;
using Cliper.Model;
using Cliper.Model.DataSets;
using Cliper.Model.Settings;

namespace Cliper.Cli.Commands;

/// <summary>Choices that a data set leaves open, by name.</summary>
internal sealed class ChoiceOption : Option<string[]>
{
    public ChoiceOption() : base("--choice")
    {
        Description = "One of the settings under 'choices', such as affectNetClasses=7. Can be repeated.";
        HelpName = "NAME=VALUE";
    }

    /// <summary>The choices of a command line over others.</summary>
    /// <exception cref="SettingsException">One is unknown, or not of the form NAME=VALUE.</exception>
    public DataChoices Over(ParseResult parsed, DataChoices choices) =>
        SettingsJson.With(new TrainSettings { Choices = choices }, (parsed.GetValue(this) ?? []).Select(pair =>
            pair.IndexOf('=') is var at and > 0 ? ($"choices.{pair[..at]}", pair[(at + 1)..])
            : throw new SettingsException($"--choice {pair}: expected NAME=VALUE, such as minFrames=16"))).Choices;
}
