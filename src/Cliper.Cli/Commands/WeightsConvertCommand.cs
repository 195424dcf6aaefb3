using System.CommandLine;
using Cliper.Model;
using Cliper.Model.Checkpoints;
using Cliper.Model.IO;
using Cliper.Model.Weights;

namespace Cliper.Cli.Commands;

/// <summary>Converts weights of any format to safetensors.</summary>
internal sealed class WeightsConvertCommand : CliCommand
{
    private static readonly Dictionary<string, ClipNaming?> Namings = new()
    {
        ["keep"] = null,
        ["openai"] = ClipNaming.OpenAI,
        ["huggingface"] = ClipNaming.HuggingFace,
    };

    private static readonly Dictionary<string, TensorType> Types = new()
    {
        ["f32"] = TensorType.F32,
        ["f16"] = TensorType.F16,
        ["bf16"] = TensorType.BF16,
    };

    private readonly Argument<string> _path = WeightsArguments.Path();

    private readonly Option<string> _out = new("--out")
    {
        Description = "The safetensors file to write.",
        HelpName = "FILE",
        Required = true,
    };

    private readonly Option<string> _naming = new("--naming")
    {
        Description =
            "Whose names and layouts: keep, openai or huggingface. With keep a trained CLIPER stays one, "
            + "descriptors and all; otherwise its CLIP is written.",
        HelpName = "NAMING",
        DefaultValueFactory = _ => "keep",
    };

    private readonly Option<string> _type = new("--type")
    {
        Description = "Type of the numbers: f32, f16 or bf16.",
        HelpName = "TYPE",
        DefaultValueFactory = _ => "f32",
    };

    private readonly Option<string?> _prefix = new("--prefix")
    {
        Description =
            "What stands before the names of the model that is meant, as in 'ema.', where a file holds several.",
        HelpName = "TEXT",
    };

    private readonly WeightsFactsOptions _facts = new();

    public WeightsConvertCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("convert", "Weights from any form to one safetensors file.", terminal, common, cancellation)
    {
        Add(_path);
        foreach (Option option in (Option[])[_out, _naming, _type, _prefix, .. _facts.Options])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        string path = WeightsArguments.Find(parsed.GetValue(_path)!), output = parsed.GetValue(_out)!;
        ClipNaming? naming = Choose("--naming", parsed.GetValue(_naming)!, Namings);
        TensorType type = Choose("--type", parsed.GetValue(_type)!, Types);
        var roles = new FileRoles();
        roles.Read(path, "PATH");
        roles.Write(output, _out.Name);
        AtomicFile.Check(output);
        WeightsConversion result = WeightsConversion.Convert(path, output, naming, type, parsed.GetValue(_prefix),
            _facts.Read(parsed), Cancellation);
        foreach (string warning in result.Warnings)
            Terminal.Say($"warning: {warning}");
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("out", output);
                json.WriteString("architecture", result.Architecture);
                json.WriteString("naming", result.Naming switch
                {
                    ClipNaming.OpenAI => "openai",
                    ClipNaming.HuggingFace => "huggingface",
                    _ => null,
                });
                json.WriteString("type", type.SafeTensorsName());
                json.WriteNumber("tensors", result.Tensors);
                json.WriteNumber("bytes", result.Bytes);
                WeightsFactsOptions.Write(json, result.Warnings);
                json.WriteEndObject();
            });
        else
            Terminal.Out.WriteLine($"{output}: {(result.Naming is { } named
                ? $"{result.Architecture}, {WeightsInspectCommand.NamingName(named)} naming"
                : "no CLIP of this program's kind, names kept")}, "
                + $"{result.Tensors} tensors, {type.SafeTensorsName()}, {Format.Bytes(result.Bytes)}");
        return ExitCode.Done;
    }

    private static T Choose<T>(string option, string value, Dictionary<string, T> choices) =>
        choices.TryGetValue(value, out T? choice) ? choice
            : throw new SettingsException($"{option} is '{value}'; there are {string.Join(", ", choices.Keys)}"
                + Suggestion.Hint(value, choices.Keys));
}
