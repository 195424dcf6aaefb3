using Cliper.Model.Prompts;
using Cliper.Model.Samples;

namespace Cliper.Model.Settings;

/// <summary>The prompts of CoOp and CoCoOp.</summary>
public sealed record CoOpSettings
{
    private const int MostTokens = 64;

    /// <summary>Learned context tokens, n; with <see cref="Words"/> their number counts.</summary>
    public int Tokens { get; init; } = 4;

    /// <summary>Where the class name stands among them.</summary>
    public NamePosition Position { get; init; }

    /// <summary>Whether each class has a context of its own (CSC), else all share one.</summary>
    public bool ClassSpecific { get; init; }

    /// <summary>Words whose token embeddings the context begins with, such as "a photo of a"; empty for random
    /// vectors.</summary>
    public string Words { get; init; } = "";

    /// <summary>The words that name the classes.</summary>
    public ClassNames Names { get; init; } = ClassNames.Adjectives;

    /// <summary>Checks the values.</summary>
    /// <param name="method">The method that uses them.</param>
    /// <exception cref="SettingsException">One is out of range, or two exclude each other.</exception>
    internal void Check(TrainingMethod method)
    {
        if (Tokens is < 1 or > MostTokens)
            throw new SettingsException($"coop.tokens is {Tokens}; it must lie within 1 and {MostTokens}");
        if (Words.Length > 0 && ClassSpecific)
            throw new SettingsException(
                "coop.words is given beside coop.classSpecific: words begin a context that all classes share");
        if (method == TrainingMethod.Cocoop && (ClassSpecific || Position != NamePosition.End))
            throw new SettingsException("CoCoOp has one context for all classes, before the name: leave "
                + "coop.classSpecific false and coop.position end");
    }
}
