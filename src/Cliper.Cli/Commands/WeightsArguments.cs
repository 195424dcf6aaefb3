using System.CommandLine;
using Cliper.Model;

namespace Cliper.Cli.Commands;

/// <summary>Arguments of the commands on weights.</summary>
internal static class WeightsArguments
{
    /// <summary>Weights in any form.</summary>
    public static Argument<string> Path() => new("path")
    {
        Description =
            "A safetensors file, PyTorch's .pt, .pth or .bin, an index of several (*.index.json), a folder of Hugging "
            + "Face's or OpenCLIP's, a checkpoint or a run's folder of this program, a model that comes with it, or a "
            + "model's name in the local cache.",
        HelpName = "PATH",
    };

    /// <summary>The file or folder that is meant: the trained model of a name that comes with the program, descriptors
    /// and all, else the path as it is.</summary>
    /// <exception cref="InputException">The model is not part of this build.</exception>
    public static string Find(string path) =>
        System.IO.Path.Exists(path) ? path : ShippedModels.Find(path)?.Path ?? path;
}
