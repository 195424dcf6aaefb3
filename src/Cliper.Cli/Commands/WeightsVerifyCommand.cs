using System.CommandLine;
using Cliper.Model.Weights;

namespace Cliper.Cli.Commands;

/// <summary>Checks that a file of weights is sound.</summary>
internal sealed class WeightsVerifyCommand : CliCommand
{
    private readonly Argument<string> _path = WeightsArguments.Path();

    public WeightsVerifyCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("verify",
            "Reads all of a CLIP's weights: checksums where the form has them, every number finite, names and shapes "
            + "those of a CLIP.",
            terminal, common, cancellation) => Add(_path);

    protected override int Run(ParseResult parsed)
    {
        WeightsVerification result = WeightsVerification.Of(WeightsArguments.Find(parsed.GetValue(_path)!),
            Cancellation);
        bool sound = result.Faults.Count == 0;
        if (Terminal.Json)
            Terminal.WriteJson(json =>
            {
                json.WriteStartObject();
                json.WriteString("path", result.Path);
                json.WriteString("format", result.Format);
                json.WriteString("architecture", result.Architecture);
                json.WriteNumber("tensors", result.Tensors);
                json.WriteNumber("parameters", result.Parameters);
                json.WriteBoolean("sound", sound);
                json.WriteStartArray("faults");
                foreach (string fault in result.Faults)
                    json.WriteStringValue(fault);
                json.WriteEndArray();
                json.WriteEndObject();
            });
        else if (sound)
            Terminal.Out.WriteLine(Format.Invariant(
                $"{result.Path}: sound: {result.Architecture}, {result.Tensors} tensors, {result.Parameters:N0} ",
                $"finite numbers ({result.Format})"));
        foreach (string fault in result.Faults)
            Terminal.Say($"cliper-gpu: {fault}");
        return sound ? ExitCode.Done : ExitCode.Input;
    }
}
