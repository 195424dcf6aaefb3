using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Model.Clip;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Weights;

namespace Cliper.Model.Export;

/// <summary>How a graph is written.</summary>
public sealed record OnnxOptions
{
    /// <summary>The least and the latest version of the standard operators that can be asked for.</summary>
    public const int LeastOpset = OnnxGraph.LeastOpset, LatestOpset = OnnxGraph.LatestOpset;

    /// <summary>Version of the standard operators, <see cref="LeastOpset"/> to <see cref="LatestOpset"/>.</summary>
    public int Opset { get; init; } = LeastOpset;

    /// <summary>Whether matrices and convolutions are stored as fp16, which halves the file. They are computed with in
    /// fp32.</summary>
    public bool Half { get; init; }

    /// <summary>Whether the input is float32 [N, 3, size, size], normalized already; else it is uint8 [N, size, size,
    /// 3].</summary>
    public bool FloatInput { get; init; }
}

/// <summary>A graph that was written.</summary>
/// <param name="Input">Type and shape of the input, such as "uint8 [N, 96, 96, 3]".</param>
/// <param name="Numbers">Numbers in its weights and other constants.</param>
/// <param name="Bytes">Size of the file.</param>
public sealed record OnnxSummary(string Input, long Numbers, long Bytes);

/// <summary>
/// Writes models as ONNX files: normalization, image tower, baked descriptors and the answer in one graph of standard
/// operators, with an open batch axis.
/// </summary>
public static class OnnxExport
{
    /// <summary>
    /// Writes a model: input "pixels", outputs "probabilities" [N, K], "logits" [N, K] (whose softmax they are),
    /// "features" [N, D] (not normalized) and "descriptor" int64 [N], the nearest one of the most probable class.
    /// </summary>
    /// <param name="predictor">The model.</param>
    /// <param name="path">The file; replaced if it exists. It is there whole or not at all.</param>
    /// <param name="options">How it is written.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>; nothing is then
    /// left.</param>
    /// <exception cref="SettingsException">There is no such opset.</exception>
    /// <exception cref="InputException">The model's answer cannot be written as a graph, or has numbers that fp16
    /// cannot hold, or more bytes than a protobuf file.</exception>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    public static OnnxSummary Write(Predictor predictor, string path, OnnxOptions options,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(predictor);
        CliperModel model = predictor.Model;
        ClipConfig config = model.Clip.Config;
        var scores = OnnxScores.Of(model, predictor.ClassFeatures, predictor.Path);
        OnnxGraph graph = GraphOf(options);
        string pixels = OnnxPixels.Add(graph, config.ImageSize, options.FloatInput, config.Mean, config.Std);
        new OnnxHead(graph, model, scores).Add(config.IsResNet
            ? new OnnxResNet(graph, config, Read).Features(pixels)
            : new OnnxVisionTransformer(graph, config, new OnnxLayers(graph, config, Read)).Features(pixels));
        Describe(graph, config.Mean, config.Std, predictor.Notes, FileHash.Sha256(predictor.Path, cancellation));
        graph.Metadata["classes"] = JsonSerializer.Serialize(predictor.Classes,
            OnnxMetadataJson.Default.IEnumerableString);
        graph.Metadata["faceTemplate"] = predictor.Info.FaceTemplate is { } template
            ? JsonSerializer.Serialize(template, OnnxMetadataJson.Default.FaceTemplate) : "null";
        graph.Metadata["faceMargin"] = JsonSerializer.Serialize(predictor.Info.FaceMargin,
            OnnxMetadataJson.Default.Single);
        return Write(graph, path, config.ImageSize, options);

        float[] Read(string name)
        {
            cancellation.ThrowIfCancellationRequested();
            return ConvolutionLayout.ToFile(config, name, model.Clip.Parameters[name]).Values;
        }
    }

    /// <summary>
    /// Writes the face detector that comes with the program: input "pixels" (256 x 256, or as floats from -1 to 1),
    /// outputs "scores" [N, 896] (0 to 1), "boxes" [N, 896, 4] (left, top, width, height) and "points" [N, 896, 6, 2]
    /// in pixels of the input.
    /// </summary>
    /// <param name="path">The file; replaced if it exists. It is there whole or not at all.</param>
    /// <param name="options">How it is written.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>; nothing is then
    /// left.</param>
    /// <exception cref="SettingsException">There is no such opset.</exception>
    /// <exception cref="InputException">The detector's file is missing or damaged.</exception>
    /// <exception cref="IOException">The place cannot be written to.</exception>
    public static OnnxSummary WriteDetector(string path, OnnxOptions options, CancellationToken cancellation = default)
    {
        OnnxGraph graph = GraphOf(options);
        using var weights = new SafeTensors(ShippedModels.FaceDetector);
        new OnnxDetector(graph, weights).Add(OnnxPixels.Add(graph, BlazeFaceNetwork.Side, options.FloatInput,
            OnnxDetector.Middle, OnnxDetector.Middle));
        Describe(graph, OnnxDetector.Middle, OnnxDetector.Middle, [OnnxDetector.Notice],
            FileHash.Sha256(weights.Path, cancellation));
        return Write(graph, path, BlazeFaceNetwork.Side, options);
    }

    /// <summary>Reads a model's file back and compares its answers with the model's own, without another
    /// runtime.</summary>
    /// <param name="predictor">The model.</param>
    /// <param name="path">The file that was written of it.</param>
    /// <param name="progress">Told the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The file is damaged, or another program's.</exception>
    public static OnnxVerification Verify(Predictor predictor, string path, Action<double>? progress = null,
        CancellationToken cancellation = default) => OnnxVerification.Of(predictor, path, progress, cancellation);

    /// <summary>Does the same for the face detector.</summary>
    /// <param name="path">The file that was written of it.</param>
    /// <param name="progress">Told the fraction that is done; null for nobody.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The file is damaged, or another program's.</exception>
    public static OnnxVerification VerifyDetector(string path, Action<double>? progress = null,
        CancellationToken cancellation = default) => OnnxVerification.OfDetector(path, progress, cancellation);

    private static OnnxGraph GraphOf(OnnxOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        return options.Opset is >= OnnxGraph.LeastOpset and <= OnnxGraph.LatestOpset
            ? new OnnxGraph(options.Opset, options.Half)
            : throw new SettingsException(FormattableString.Invariant(
                $"the opset is {options.Opset}; it must lie within {OnnxGraph.LeastOpset} and ")
                + FormattableString.Invariant($"{OnnxGraph.LatestOpset}"));
    }

    private static void Describe(OnnxGraph graph, ChannelValues mean, ChannelValues std, IReadOnlyList<string> notes,
        string hash)
    {
        graph.Version = typeof(OnnxExport).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!
            .InformationalVersion;
        graph.Metadata["mean"] = JsonSerializer.Serialize(mean.ToArray(), OnnxMetadataJson.Default.SingleArray);
        graph.Metadata["std"] = JsonSerializer.Serialize(std.ToArray(), OnnxMetadataJson.Default.SingleArray);
        graph.Metadata["modelSha256"] = hash;
        graph.Metadata["notes"] = JsonSerializer.Serialize(notes, OnnxMetadataJson.Default.IEnumerableString);
    }

    private static OnnxSummary Write(OnnxGraph graph, string path, int size, OnnxOptions options)
    {
        long bytes = 0;
        AtomicFile.Write(path, stream => bytes = graph.Write(stream));
        return new OnnxSummary(options.FloatInput ? $"float32 [N, 3, {size}, {size}]"
            : $"uint8 [N, {size}, {size}, 3]", graph.Numbers, bytes);
    }
}

/// <summary>The generated code for the JSON in an ONNX file's metadata.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(FaceTemplate))]
[JsonSerializable(typeof(IEnumerable<string>))]
[JsonSerializable(typeof(float[]))]
internal sealed partial class OnnxMetadataJson : JsonSerializerContext;
