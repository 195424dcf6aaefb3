using Cliper.Model.Samples;
using Cliper.Model.Text;

namespace Cliper.Model.Settings;

/// <summary>The captions that a zero-shot model answers by.</summary>
public sealed record ZeroShotSettings
{
    /// <summary>The words that name the classes.</summary>
    public ClassNames Names { get; init; } = ClassNames.PaperWords;

    /// <summary>Name of the templates, one of <see cref="PromptSets.Names"/>.</summary>
    public string Prompts { get; init; } = PromptSets.Paper;

    /// <summary>Checks the values.</summary>
    /// <exception cref="SettingsException">There are no such templates.</exception>
    internal void Check() => PromptSets.Get(Prompts);
}
