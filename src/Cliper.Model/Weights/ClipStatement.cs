using System.Globalization;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// Facts on CLIP weights that the user states because the file does not; an empty text states nothing. What is stated
/// holds against the file and the configuration beside it.
/// </summary>
public sealed record ClipStatement
{
    /// <summary>Activation of both towers: gelu or quick-gelu.</summary>
    public string Activation { get; init; } = "";

    /// <summary>Attention heads: the image tower's, or the image and the text tower's as in "16,12".</summary>
    public string Heads { get; init; } = "";

    /// <summary>Mean of red, green and blue, from 0 to 1, as in "0.5,0.5,0.5".</summary>
    public string Mean { get; init; } = "";

    /// <summary>Standard deviation of red, green and blue, as in "0.5,0.5,0.5".</summary>
    public string Std { get; init; } = "";

    /// <summary>Throws on a text that states no fact.</summary>
    /// <exception cref="SettingsException">Names the fact, its form and what was given.</exception>
    public void Check() => ToFacts();

    internal ClipFacts ToFacts()
    {
        int[] numbers = Heads.Length == 0 ? [] : [.. Heads.Split(',').Select(text =>
            int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
                && number is > 0 and < 1000 ? number
            : throw Wrong("heads", Heads, "a number such as 16, or the image and text tower's as in 16,12"))];
        if (numbers.Length > 2)
            throw Wrong("heads", Heads, "at most two numbers, the image and the text tower's");
        return new ClipFacts
        {
            VisionHeads = numbers.Length > 0 ? numbers[0] : null,
            TextHeads = numbers.Length > 1 ? numbers[1] : null,
            Activation = Activation switch
            {
                "" => null,
                "gelu" => Kernels.Operations.Activation.Gelu,
                "quick-gelu" or "quick_gelu" or "quickgelu" => Kernels.Operations.Activation.QuickGelu,
                _ => throw Wrong("activation", Activation, "gelu or quick-gelu"),
            },
            Mean = Channels("mean", Mean, least: 0),
            Std = Channels("std", Std, least: 1e-3f),
        };
    }

    private static ChannelValues? Channels(string name, string text, float least)
    {
        if (text.Length == 0)
            return null;
        float[] numbers = [.. text.Split(',').Select(part => float.TryParse(part, NumberStyles.Float,
            CultureInfo.InvariantCulture, out float number) && number >= least && number <= 1 ? number
            : throw Wrong(name, text, "three numbers from 0 to 1 such as 0.5,0.5,0.5"))];
        return numbers.Length == 3 ? new ChannelValues(numbers[0], numbers[1], numbers[2])
            : throw Wrong(name, text, "three numbers from 0 to 1 such as 0.5,0.5,0.5");
    }

    private static SettingsException Wrong(string name, string found, string expected) =>
        new($"{name} is {ForeignText.Quote(found)}; expected {expected}");
}
