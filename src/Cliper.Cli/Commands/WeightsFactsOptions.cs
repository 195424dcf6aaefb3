using System.CommandLine;
using System.Text.Json;
using Cliper.Model;
using Cliper.Model.Weights;

namespace Cliper.Cli.Commands;

/// <summary>The options that state what a file of CLIP weights does not.</summary>
internal sealed class WeightsFactsOptions
{
    private readonly Option<string?> _activation = Activation();
    private readonly Option<string?> _heads = Heads();
    private readonly Option<string?> _mean = Mean();
    private readonly Option<string?> _std = Std();

    /// <summary>The options.</summary>
    public IReadOnlyList<Option> Options => [_activation, _heads, _mean, _std];

    public static Option<string?> Activation() => Of("--activation",
        "Activation of CLIP weights that do not state it.", "gelu|quick-gelu");

    public static Option<string?> Heads() => Of("--heads",
        "Attention heads of CLIP weights: the image tower's, and the text tower's after a comma.", "N[,M]");

    public static Option<string?> Mean() => Of("--mean",
        "Mean of the channels that CLIP weights were trained with, from 0 to 1.", "R,G,B");

    public static Option<string?> Std() => Of("--std",
        "Standard deviation of the channels that CLIP weights were trained with.", "R,G,B");

    /// <summary>The facts of a command line; null where none is stated.</summary>
    /// <exception cref="SettingsException">One has another form.</exception>
    public ClipStatement? Read(ParseResult parsed)
    {
        var statement = new ClipStatement
        {
            Activation = parsed.GetValue(_activation) ?? "",
            Heads = parsed.GetValue(_heads) ?? "",
            Mean = parsed.GetValue(_mean) ?? "",
            Std = parsed.GetValue(_std) ?? "",
        };
        statement.Check();
        return statement == new ClipStatement() ? null : statement;
    }

    /// <summary>Says what was assumed of weights, and how to state it.</summary>
    public static string Explain(string warning) =>
        $"warning: {warning}; --activation, --heads, --mean and --std state it";

    /// <summary>Writes warnings as the list "warnings" of a JSON document.</summary>
    public static void Write(Utf8JsonWriter json, IEnumerable<string> warnings)
    {
        json.WriteStartArray("warnings");
        foreach (string warning in warnings)
            json.WriteStringValue(warning);
        json.WriteEndArray();
    }

    private static Option<string?> Of(string name, string description, string value) =>
        new(name) { Description = description, HelpName = value };
}
