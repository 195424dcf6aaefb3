using System.CommandLine;
using Cliper.Kernels.Cpu;
using Cliper.Model;
using Cliper.Model.Export;
using Cliper.Model.Inference;
using Cliper.Model.IO;

namespace Cliper.Cli.Commands;

/// <summary>Writes a model, or the face detector, as an ONNX file.</summary>
internal sealed class ExportOnnxCommand : CliCommand
{
    private readonly Argument<string?> _name = new("RUN|FILE|NAME")
    {
        Description = "A run's folder, a file of its checkpoints/, or a model that comes with the program; without it "
            + "the one that answers in predict.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _model = new("--model")
    {
        Description = "The same as the argument.",
        HelpName = "RUN|FILE|NAME",
    };

    private readonly Option<bool> _detector = new("--detector")
    {
        Description = "Writes the face detector instead of a model.",
    };

    private readonly Option<string> _out = new("--out")
    {
        Description = "The file to write.",
        HelpName = "FILE",
        Required = true,
    };

    private readonly Option<int> _opset = new("--opset")
    {
        Description = Format.Invariant(
            $"Version of the standard operators, {OnnxOptions.LeastOpset} to {OnnxOptions.LatestOpset}."),
        HelpName = "N",
        DefaultValueFactory = _ => OnnxOptions.LeastOpset,
    };

    private readonly Option<bool> _half = new("--fp16")
    {
        Description = "Stores matrices and convolutions as fp16, which halves the file; they are computed with in "
            + "fp32.",
    };

    private readonly Option<bool> _floatInput = new("--float-input")
    {
        Description = "The input is float32 [N, 3, H, W], normalized already; without it uint8 [N, H, W, 3].",
    };

    private readonly Option<bool> _verify = new("--verify")
    {
        Description = "Reads the file back, runs its graph on drawn faces, and compares the answers with the "
            + "program's own.",
    };

    private readonly Option<bool> _allowUnfinished = new("--allow-unfinished")
    {
        Description = "Writes a run's model whose descriptors are not learned yet.",
    };

    public ExportOnnxCommand(Terminal terminal, CommonOptions common, CancellationToken cancellation)
        : base("onnx", "Writes a model as an ONNX file: pixels in, probabilities of the classes out.", terminal,
            common, cancellation)
    {
        Add(_name);
        foreach (Option option in (Option[])[_model, _detector, _out, _opset, _half, _floatInput, _verify,
            _allowUnfinished])
            Add(option);
    }

    protected override int Run(ParseResult parsed)
    {
        string path = parsed.GetValue(_out)!;
        bool isDetector = parsed.GetValue(_detector);
        ModelRequest? request = isDetector ? null : RequestOf(parsed);
        if (isDetector && (parsed.GetValue(_name) ?? parsed.GetValue(_model)) is { } model)
            throw new SettingsException($"--detector and a model ({model}) exclude each other: give one of them");
        var options = new OnnxOptions
        {
            Opset = OpsetOf(parsed),
            Half = parsed.GetValue(_half),
            FloatInput = parsed.GetValue(_floatInput),
        };
        string source = request?.Find() ?? ShippedModels.FaceDetector;
        var roles = new FileRoles();
        roles.Read(source, isDetector ? "the detector" : "the model");
        roles.Write(path, _out.Name);
        AtomicFile.Check(path);
        using var device = new CpuDevice(Common.ThreadsOf(parsed));
        if (request is null)
        {
            OnnxSummary summary = OnnxExport.WriteDetector(path, options, Cancellation);
            Report(path, "face detector", options, summary, null);
            return ExitCode.Done;
        }
        using Predictor predictor = Predictor.Load(source, device, allowUnfinished: parsed.GetValue(_allowUnfinished));
        foreach (string note in predictor.Notes)
            Terminal.Say($"{request.Name}: {note}");
        OnnxSummary written = OnnxExport.Write(predictor, path, options, Cancellation);
        Report(path, $"{request.Name}, {predictor.Classes.Count} classes", options, written, null);
        return ExitCode.Done;
    }

    private int OpsetOf(ParseResult parsed)
    {
        int opset = parsed.GetValue(_opset);
        return opset is >= OnnxOptions.LeastOpset and <= OnnxOptions.LatestOpset ? opset
            : throw new SettingsException(Format.Invariant($"--opset is {opset}; it must lie within ",
                $"{OnnxOptions.LeastOpset} and {OnnxOptions.LatestOpset}"));
    }

    private ModelRequest RequestOf(ParseResult parsed)
    {
        (string? name, string? model) = (parsed.GetValue(_name), parsed.GetValue(_model));
        if (name is not null && model is not null)
            throw new SettingsException($"the model is named twice, as {name} and as --model {model}: name it once");
        if ((name ?? model) is { } given)
            return new ModelRequest(given, IsWeights: false);
        Terminal.Say($"no model is named: {ModelRequest.Default.Name} is written");
        return ModelRequest.Default;
    }

    private void Report(string path, string what, OnnxOptions options, OnnxSummary summary, string? verified)
    {
        Terminal.Out.WriteLine(Format.Invariant($"{path}: {what}, opset {options.Opset}, ",
            $"{(options.Half ? "fp16" : "fp32")}, input {summary.Input}, {summary.Numbers:N0} numbers, ",
            $"{Format.Bytes(summary.Bytes)}"));
        if (verified is not null)
            Terminal.Out.WriteLine(verified);
    }
}
