using System.CommandLine;
using System.Text.Json;
using Cliper.Kernels.Cpu;
using Cliper.Model;
using Cliper.Model.Export;
using Cliper.Model.Inference;
using Cliper.Model.IO;

namespace Cliper.Cli.Commands;

/// <summary>Writes a model, or the face detector, as an ONNX file.</summary>
internal sealed class ExportOnnxCommand : CliCommand
{
    private const string DetectorName = "face detector";

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
        ModelRequest? request = RequestOf(parsed);
        var options = new OnnxOptions
        {
            Opset = OpsetOf(parsed),
            Half = parsed.GetValue(_half),
            FloatInput = parsed.GetValue(_floatInput),
        };
        bool verifies = parsed.GetValue(_verify);
        // It reads the file back, which a device or a pipe does not keep.
        if (verifies)
            RegularFile.Require(path);
        string source = request?.Find() ?? ShippedModels.FaceDetector;
        var roles = new FileRoles();
        roles.Read(source, request is null ? "the detector" : "the model");
        roles.Write(path, _out.Name);
        AtomicFile.Check(path);
        using var device = new CpuDevice(Common.ThreadsOf(parsed));
        using Predictor? predictor = request is null ? null
            : Predictor.Load(source, device, allowUnfinished: parsed.GetValue(_allowUnfinished));
        foreach (string note in predictor?.Notes ?? [])
            Terminal.Say($"{request!.Name}: {note}");
        OnnxSummary summary = predictor is null ? OnnxExport.WriteDetector(path, options, Cancellation)
            : OnnxExport.Write(predictor, path, options, Cancellation);
        OnnxVerification? verification = verifies ? Verify(predictor, path) : null;
        string name = request?.Name ?? DetectorName;
        if (Terminal.Json)
            Terminal.WriteJson(json => Write(json, path, name, options, summary, verification));
        else
            Report(path, predictor is null ? name : $"{name}, {predictor.Classes.Count} classes", options, summary,
                verification);
        if (verification is not { IsSound: false })
            return ExitCode.Done;
        File.Delete(path);
        Terminal.Say($"cliper-gpu: {path}: the graph does not answer as the program does, and the file was removed: "
            + "please report it with the line above");
        return ExitCode.Failed;
    }

    private OnnxVerification Verify(Predictor? predictor, string path)
    {
        var lines = new WorkLines(Terminal);
        return predictor is null ? OnnxExport.VerifyDetector(path, Tell, Cancellation)
            : OnnxExport.Verify(predictor, path, Tell, Cancellation);

        void Tell(double fraction) => lines.Tell("verifying", fraction);
    }

    private int OpsetOf(ParseResult parsed)
    {
        int opset = parsed.GetValue(_opset);
        return opset is >= OnnxOptions.LeastOpset and <= OnnxOptions.LatestOpset ? opset
            : throw new SettingsException(Format.Invariant($"--opset is {opset}; it must lie within ",
                $"{OnnxOptions.LeastOpset} and {OnnxOptions.LatestOpset}"));
    }

    /// <summary>The model that was asked for, or the one that answers where none was, which is said; null for the
    /// detector.</summary>
    private ModelRequest? RequestOf(ParseResult parsed)
    {
        (string? name, string? model) = (parsed.GetValue(_name), parsed.GetValue(_model));
        if (name is not null && model is not null)
            throw new SettingsException($"the model is named twice, as {name} and as --model {model}: name it once");
        string? given = name ?? model;
        if (parsed.GetValue(_detector))
            return given is null ? null : throw new SettingsException(
                $"--detector and a model ({given}) exclude each other: give one of them");
        if (given is not null)
            return new ModelRequest(given, IsWeights: false);
        Terminal.Say($"no model is named: {ModelRequest.Default.Name} is written");
        return ModelRequest.Default;
    }

    private void Report(string path, string what, OnnxOptions options, OnnxSummary summary,
        OnnxVerification? verification)
    {
        Terminal.Out.WriteLine(Format.Invariant($"{path}: {what}, opset {options.Opset}, ",
            $"{TypeOf(options)}, input {summary.Input}, {summary.Numbers:N0} numbers, ",
            $"{Format.Bytes(summary.Bytes)}"));
        if (verification is { } found)
            Terminal.Out.WriteLine(Format.Invariant($"{path}: {(found.IsSound ? "verified" : "differs")}: ",
                $"{found.SameAnswers} of {found.Images} drawn faces have the program's answer, ",
                $"largest difference {found.LargestDifference:E1}"));
    }

    private static void Write(Utf8JsonWriter json, string path, string name, OnnxOptions options, OnnxSummary summary,
        OnnxVerification? verification)
    {
        json.WriteStartObject();
        json.WriteString("out", path);
        json.WriteString("model", name);
        json.WriteNumber("opset", options.Opset);
        json.WriteString("type", TypeOf(options));
        json.WriteString("input", summary.Input);
        json.WriteNumber("numbers", summary.Numbers);
        json.WriteNumber("bytes", summary.Bytes);
        if (verification is { } found)
        {
            json.WriteStartObject("verification");
            json.WriteBoolean("sound", found.IsSound);
            json.WriteNumber("images", found.Images);
            json.WriteNumber("sameAnswers", found.SameAnswers);
            json.WriteNumber("largestDifference", found.LargestDifference);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    private static string TypeOf(OnnxOptions options) => options.Half ? "fp16" : "fp32";
}
