using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Cliper.Cli;

/// <summary>Command lines that help ends with, to begin from.</summary>
internal static class Examples
{
    // A terminal has a width of its own; a file and a pipe have none.
    private const int WidthInFiles = 100;

    /// <summary>By the command's words after the program's name.</summary>
    private static readonly Dictionary<string, string[]> ByCommand = new()
    {
        [""] = ["demo", "predict photo.jpg", "train --recipe fer2013 --data fer2013/ --out runs/fer2013"],
        ["demo"] = ["demo", "demo --out runs/sketches"],
        ["train"] =
        [
            "train --recipe fer2013 --data fer2013/ --out runs/fer2013",
            "train --recipe rafdb --weights openai/clip-vit-base-patch16 --data faces/ --dataset folder "
                + "--out runs/faces",
            "train --resume runs/faces",
        ],
        ["eval"] =
        [
            "eval --model runs/faces --data faces/",
            "eval --weights openai/clip-vit-base-patch16 --data faces/ --json",
        ],
        ["predict"] =
        [
            "predict photo.jpg", "predict --model runs/faces pictures/ --csv answers.csv",
            "predict film.mp4 --window 16 --annotate labeled.mp4",
        ],
        ["explain"] =
        [
            "explain photo.jpg --map rollout,relevance", "explain --model runs/faces --data faces/",
            "explain --model drawn-faces --dataset drawn --pictures 7000",
        ],
        ["serve"] = ["serve", "serve --model runs/faces --port 9000 --faces largest"],
        ["embed"] =
        [
            "embed --weights openai/clip-vit-base-patch16 --images pictures/ --texts captions.txt "
                + "--out features.safetensors",
        ],
        ["export"] = ["export onnx --out model.onnx", "export onnx --detector --out face.onnx"],
        ["export onnx"] =
        [
            "export onnx --out model.onnx", "export onnx runs/faces --out model.onnx --fp16 --verify",
            "export onnx --detector --out face.onnx",
        ],
        ["pretrain"] =
        [
            "pretrain --recipe fer2013 --data captioned/ --out runs/clip", "pretrain --resume runs/clip",
        ],
        ["compare"] =
        [
            "compare --weights openai/clip-vit-base-patch16 --data RAF-DB/ --seeds 1,2,3 --out tables/rafdb",
            "compare --weights openai/clip-vit-base-patch16 --data RAF-DB/ --methods zero-shot,linear-probe,coop "
                + "--shots 1,4,16 --set features=cached --out tables/shots",
        ],
        ["sweep"] =
        [
            "sweep --preset losses --recipe fer2013 --data fer2013/ --out sweeps/losses",
            "sweep --recipe rafdb --weights openai/clip-vit-base-patch16 --data RAF-DB/ --preset metd "
                + "--out sweeps/metd",
            "sweep --recipe fer2013 --data fer2013/ --set stage2.learningRate=1e-5,1e-4 --seeds 1,2 --out sweeps/rates",
        ],
        ["report"] = ["report runs/faces runs/fer2013", "report sweeps/losses --out tables/"],
        ["data"] = ["data verify auto faces/", "data cache folder faces/ --out cache/"],
        ["data verify"] = ["data verify auto faces/", "data verify rafdb RAF-DB/ --json"],
        ["data cache"] = ["data cache folder faces/ --out cache/"],
        ["weights"] = ["weights download openai/clip-vit-base-patch16", "weights inspect model.safetensors"],
        ["weights inspect"] = ["weights inspect openai/clip-vit-base-patch16", "weights inspect ViT-B-16.pt"],
        ["weights convert"] = ["weights convert ViT-B-16.pt --out ViT-B-16.safetensors"],
        ["weights verify"] = ["weights verify ViT-B-16.safetensors"],
        ["weights download"] = ["weights download openai/clip-vit-base-patch16"],
        ["bench"] = ["bench", "bench --device cuda --json"],
        ["doctor"] = ["doctor", "doctor --device cuda"],
        ["recipes"] = ["recipes", "recipes show fer2013"],
        ["recipes show"] = ["recipes show rafdb"],
        ["completion"] = ["completion bash", "completion powershell"],
        ["kernels"] = ["kernels write", "kernels hash"],
        ["kernels write"] = ["kernels write"],
        ["kernels hash"] = ["kernels hash"],
    };

    /// <summary>The examples of a command, as they are typed after the program's name.</summary>
    /// <param name="command">The command's words; empty for the program.</param>
    public static IReadOnlyList<string> Of(string command) => ByCommand.GetValueOrDefault(command, []);

    /// <summary>The words of a command after the program's name.</summary>
    /// <param name="command">The command.</param>
    public static string NameOf(Command command) => string.Join(' ', Chain(command).Reverse()
        .Where(part => part is not RootCommand).Select(part => part.Name));

    /// <summary>Lets the help of every command end with its examples.</summary>
    /// <param name="root">The program.</param>
    public static void AddTo(RootCommand root)
    {
        HelpOption option = root.Options.OfType<HelpOption>().Single();
        var inner = (HelpAction)option.Action!;
        if (Console.IsOutputRedirected)
            inner.MaxWidth = WidthInFiles;
        option.Action = new Help(inner);
    }

    /// <summary>A command and those it stands under.</summary>
    private static IEnumerable<Command> Chain(Command command) =>
        command.Parents.OfType<Command>().SelectMany(Chain).Prepend(command);

    /// <summary>Help, and examples after it.</summary>
    /// <param name="inner">The help of the command-line library.</param>
    internal sealed class Help(SynchronousCommandLineAction inner) : SynchronousCommandLineAction
    {
        /// <inheritdoc/>
        public override bool Terminating => inner.Terminating;

        /// <inheritdoc/>
        public override bool ClearsParseErrors => inner.ClearsParseErrors;

        /// <inheritdoc/>
        public override int Invoke(ParseResult parseResult)
        {
            int code = inner.Invoke(parseResult);
            TextWriter output = parseResult.InvocationConfiguration.Output;
            IReadOnlyList<string> examples = Of(NameOf(parseResult.CommandResult.Command));
            if (examples.Count > 0)
                output.WriteLine(examples.Count == 1 ? "Example:" : "Examples:");
            foreach (string example in examples)
                output.WriteLine($"  cliper-gpu {example}");
            return code;
        }
    }
}
