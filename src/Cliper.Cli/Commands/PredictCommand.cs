using System.CommandLine;
using System.Globalization;
using System.Text;
using Cliper.Kernels.Devices;
using Cliper.Model;
using Cliper.Model.Data;
using Cliper.Model.Inference;
using Cliper.Model.Reporting;
using Cliper.Model.Training;
using Cliper.Model.Weights;

namespace Cliper.Cli.Commands;

/// <summary>The expressions in pictures.</summary>
internal sealed class PredictCommand : CliCommand
{
    private const string StandardOutput = "-";

    private readonly Argument<string[]> _paths = new("PATH")
    {
        Description = "Pictures and folders of pictures.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<string> _checkpoint = new("--checkpoint")
    {
        Description = "A run's folder or a file of its checkpoints/.",
        HelpName = "PATH",
        Required = true,
    };

    private readonly Option<bool> _clips = new("--clips")
    {
        Description = "Each folder with pictures is one clip, its frames sorted by name.",
    };

    private readonly Option<string?> _csv = new("--csv")
    {
        Description = "Writes the result as a CSV file; - is standard output.",
        HelpName = "FILE",
    };

    private readonly StrictOption _strict = new();

    public PredictCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("predict", "The expressions in pictures.", terminal, common, cancellation)
    {
        Add(_paths);
        foreach (Option option in new Option[] { _checkpoint, _clips, _csv, _strict })
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        bool clips = parsed.GetValue(_clips);
        string[] paths = parsed.GetValue(_paths)!;
        IReadOnlyList<Sample> samples = clips ? PictureFiles.Clips(paths) : PictureFiles.Pictures(paths);
        using HostDevice device = Common.OpenDevice(parsed);
        using Predictor predictor = Predictor.Load(Checkpoint.Find(parsed.GetValue(_checkpoint)!), device);
        var skipped = new Dictionary<string, string>();
        var predictions = new List<FilePrediction>();
        string? csv = parsed.GetValue(_csv);
        int width = predictor.Classes.Max(name => name.Length);
        foreach (FilePrediction prediction in predictor.Predict(samples, clips, parsed.GetValue(_strict),
            (name, reason) => skipped[name] = reason, Cancellation))
        {
            predictions.Add(prediction);
            if (!Terminal.Json && csv != StandardOutput)
                Terminal.Out.WriteLine(Line(prediction, predictor.Classes, width));
        }
        if (Terminal.Json)
            WriteJson(predictions, predictor.Classes);
        if (csv is not null)
            WriteCsv(csv, predictions, predictor.Classes);
        SkippedPictures.Say(Terminal, skipped);
        return ExitCode.Done;
    }

    private static string Line(FilePrediction prediction, IReadOnlyList<string> classes, int width)
    {
        (int best, float[] probabilities, int subclass) = prediction.Prediction;
        return Format.Invariant($"{classes[best].PadRight(width)} {100 * probabilities[best],5:F1} %  descriptor {subclass}  {prediction.File}");
    }

    private void WriteJson(IReadOnlyList<FilePrediction> predictions, IReadOnlyList<string> classes) => Terminal.WriteJson(json =>
    {
        json.WriteStartArray();
        foreach (FilePrediction prediction in predictions)
        {
            json.WriteStartObject();
            json.WriteString("file", prediction.File);
            json.WriteString("label", classes[prediction.Prediction.Class]);
            json.WriteStartObject("probabilities");
            foreach ((string name, float probability) in classes.Zip(prediction.Prediction.Probabilities))
                json.WriteNumber(name, probability);
            json.WriteEndObject();
            json.WriteNumber("subclass", prediction.Prediction.Subclass);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private void WriteCsv(string path, IEnumerable<FilePrediction> predictions, IReadOnlyList<string> classes)
    {
        string text = string.Concat(predictions.Select(prediction => Csv.Line(
        [
            prediction.File, classes[prediction.Prediction.Class], prediction.Prediction.Subclass.ToString(CultureInfo.InvariantCulture),
            .. prediction.Prediction.Probabilities.Select(value => value.ToString("R", CultureInfo.InvariantCulture)),
        ])).Prepend(Csv.Line(["file", "label", "subclass", .. classes])).Select(line => line + "\n"));
        if (path == StandardOutput)
            Terminal.Out.Write(text);
        else
            AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
    }
}
