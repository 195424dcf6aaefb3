using System.CommandLine;

namespace Cliper.Cli.Commands;

/// <summary>Arguments of the commands on weights.</summary>
internal static class WeightsArguments
{
    /// <summary>Weights in any form.</summary>
    public static Argument<string> Path() => new("path")
    {
        Description =
            "A safetensors file, PyTorch's .pt, .pth or .bin, an index of several (*.index.json), a Hugging Face "
            + "folder, a checkpoint of this program, or a model's name in the local cache.",
        HelpName = "PATH",
    };
}
