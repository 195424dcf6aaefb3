using System.Text.Json.Serialization;

namespace Cliper.Model.Settings;

/// <summary>A way to make a classifier of expressions from a CLIP; docs/methods.md describes each.</summary>
public enum TrainingMethod
{
    /// <summary>CLIPER's two stages.</summary>
    Cliper,

    /// <summary>Captions of the class names; nothing is trained.</summary>
    [JsonStringEnumMemberName("zero-shot")]
    ZeroShot,

    /// <summary>CoOp: learned context around the class names, both towers frozen.</summary>
    Coop,

    /// <summary>CoCoOp: CoOp's context, shifted by a small network of each image's feature.</summary>
    Cocoop,

    /// <summary>A linear classifier on the features of the frozen image tower.</summary>
    [JsonStringEnumMemberName("linear-probe")]
    LinearProbe,

    /// <summary>A linear classifier trained together with the image tower.</summary>
    [JsonStringEnumMemberName("fine-tune")]
    FineTune,

    /// <summary>CLIPER's two stages with one descriptor a class, M = 1.</summary>
    M1,
}

/// <summary>Names and kinds of methods.</summary>
public static class TrainingMethods
{
    private static readonly (TrainingMethod Method, string Name, string Title)[] Table =
    [
        (TrainingMethod.ZeroShot, "zero-shot", "Zero-shot CLIP"), (TrainingMethod.Coop, "coop", "CoOp"),
        (TrainingMethod.Cocoop, "cocoop", "CoCoOp"), (TrainingMethod.LinearProbe, "linear-probe", "Linear probe"),
        (TrainingMethod.FineTune, "fine-tune", "Full fine-tuning"),
        (TrainingMethod.M1, "m1", "CLIPER's two stages with one descriptor a class"),
        (TrainingMethod.Cliper, "cliper", "CLIPER"),
    ];

    /// <summary>The names, in the order of the paper's Table I.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. Table.Select(row => row.Name)];

    /// <summary>The method's name in settings, checkpoints and messages.</summary>
    public static string Name(this TrainingMethod method) => Table.First(row => row.Method == method).Name;

    /// <summary>The method's name in headlines.</summary>
    public static string Title(this TrainingMethod method) => Table.First(row => row.Method == method).Title;

    /// <summary>The method of a name.</summary>
    /// <exception cref="SettingsException">There is no such method.</exception>
    public static TrainingMethod Parse(string name)
    {
        foreach ((TrainingMethod method, string known, _) in Table)
            if (known == name)
                return method;
        throw new SettingsException(
            $"no method '{name}'; there are {string.Join(", ", Names)}{Suggestion.Hint(name, Names)}");
    }

    /// <summary>Whether the method learns METD's descriptors, in stage 1, and then the image tower.</summary>
    internal static bool HasDescriptors(this TrainingMethod method) =>
        method is TrainingMethod.Cliper or TrainingMethod.M1;

    /// <summary>Whether the method learns a context around class names, in stage 1.</summary>
    internal static bool HasContext(this TrainingMethod method) =>
        method is TrainingMethod.Coop or TrainingMethod.Cocoop;

    /// <summary>Whether the method learns a linear head.</summary>
    internal static bool HasHead(this TrainingMethod method) =>
        method is TrainingMethod.LinearProbe or TrainingMethod.FineTune;
}
