using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>What can be done with weights besides using them.</summary>
internal sealed class WeightsCommand : Command
{
    public WeightsCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("weights", "Weights in files of any form: what they are, whether they are sound, to safetensors, from Hugging Face.")
    {
        Add(new WeightsInspectCommand(terminal, common, cancellation));
        Add(new WeightsConvertCommand(terminal, common, cancellation));
        Add(new WeightsVerifyCommand(terminal, common, cancellation));
        Add(new WeightsDownloadCommand(terminal, common, cancellation));
    }
}
