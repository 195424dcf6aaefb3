using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Commands on files of weights.</summary>
internal sealed class WeightsCommand : Command
{
    public WeightsCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("weights",
            "Weights in files of any form: what they are, whether they are sound, to safetensors, from Hugging Face.")
    {
        Add(new WeightsInspectCommand(terminal, common, cancellation));
        Add(new WeightsConvertCommand(terminal, common, cancellation));
        Add(new WeightsVerifyCommand(terminal, common, cancellation));
        Add(new WeightsDownloadCommand(terminal, common, cancellation));
    }
}
