using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

/// <summary>Facts that a checkpoint states beside its tensors.</summary>
/// <param name="Frames">Frames of a clip the model was trained on; 1 for images.</param>
/// <param name="Recipe">Name of the recipe.</param>
/// <param name="Note">Note for readers of the result, such as where captions came from; may be empty.</param>
public sealed record CheckpointInfo(int Frames, string Recipe, string Note)
{
    /// <summary>Consecutive frames of each segment of a clip.</summary>
    public int FramesPerSegment { get; init; } = 1;

    /// <summary>Rule for clips with few frames.</summary>
    public ShortClips ShortClips { get; init; }

    /// <summary>Margin added to each side of a face box, as a fraction of the box's size.</summary>
    public float FaceMargin { get; init; }

    /// <summary>How faces lay in the images.</summary>
    public FaceAlignment Alignment { get; init; }

    /// <summary>Where the training images show their faces; null where nobody looked, or they show none.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public FaceTemplate? FaceTemplate { get; init; }

    /// <summary>Terms of the data that the model was trained on, such as "trained on FER2013: research use".</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Terms { get; init; }
}

/// <summary>
/// A trained model in one safetensors file: "clip.*" in OpenAI's naming, the prompt learner's tensors, and
/// "text_features", the class features where they are the same for every image. A run's own checkpoint also holds the
/// optimizer's state and the place where the run goes on. Written under a temporary name and renamed, so that an
/// interruption leaves the one before.
/// </summary>
public static partial class Checkpoint
{
    private const string Format = "cliper-checkpoint-1";
    private const string ClipPrefix = "clip.";
    private const string OptimizerPrefix = "optimizer.";
    private const string StepName = "step";
    private const string AverageSuffix = ":average";
    private const string AverageSteps = OptimizerPrefix + "average_steps";
    private const string MethodKey = "method";
    /// <summary>Metadata on where a run goes on.</summary>
    internal const string StateKey = "state";

    private const string ConfigKey = "clip_config";
    private const string AnswerTemperatureKey = "answerTemperature";
    private const int MostFrames = 1 << 20;
    private const float MostFaceMargin = 100;

    /// <summary>Whether metadata say that a file is a whole model, which does not hold for its CLIP alone.</summary>
    internal static bool IsOfWholeModel(string key) => key is "format" or ConfigKey or StateKey;

    /// <summary>Writes a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <param name="info">Facts about it.</param>
    /// <param name="type">F32, or F16 for half the size.</param>
    public static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type = TensorType.F32) =>
        Save(path, model, info, type, null);

    /// <summary>Writes a run's state, to be resumed bit by bit.</summary>
    internal static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type,
        ResumeState? progress, IReadOnlyDictionary<string, string>? more = null)
    {
        var writer = new SafeTensorsWriter();
        foreach ((string key, string value) in more ?? new Dictionary<string, string>())
            writer.Metadata[key] = value;
        foreach ((string name, Tensor tensor) in model.Clip.Parameters.StartingWith())
        {
            (int[] shape, float[] values) = ConvolutionLayout.ToFile(model.Clip.Config, name, tensor);
            writer.Add(ClipPrefix + name, shape, values,
                NormalizedConvolution.IsStatistic(name) ? TensorType.F32 : type);
        }
        // Learned vectors are few and small numbers: they stay in fp32.
        foreach ((string name, Tensor tensor) in model.Prompts.Parameters)
            writer.Add(name, tensor.Shape.ToArray(), tensor.ToArray());
        using (var tape = new Tape(model.Clip.Device, recording: false))
            if (model.ClassFeatures(tape) is { } features)
                writer.Add("text_features", features.Shape.ToArray(), features.ToArray());
        if (progress?.Optimizer is { } optimizer)
            Add(writer, optimizer);
        if (progress?.Average is { } average)
            Add(writer, average);
        writer.Metadata["format"] = Format;
        writer.Metadata["classes"] = CheckpointJson.Write(model.Classes.ToArray());
        writer.Metadata[ConfigKey] = ClipConfigJson.Write(model.Clip.Config);
        // METD is what a checkpoint without a method holds: files of earlier versions name none.
        if (model.Prompts.Method != Metd.MethodName)
            writer.Metadata[MethodKey] = model.Prompts.Method;
        foreach ((string key, object value) in model.Prompts.Metadata)
            writer.Metadata[key] = CheckpointJson.Write(value);
        writer.Metadata["temperature"] = model.Temperature.ToString("R", CultureInfo.InvariantCulture);
        // Files of earlier versions have none, which is 1.
        if (model.AnswerTemperature != 1)
            writer.Metadata[AnswerTemperatureKey] = model.AnswerTemperature.ToString("R", CultureInfo.InvariantCulture);
        writer.Metadata["info"] = CheckpointJson.Write(info);
        if (progress is not null)
            writer.Metadata[StateKey] = CheckpointJson.Write(progress.State);
        writer.Write(path);
    }

    private static void Add(SafeTensorsWriter writer, IOptimizer optimizer)
    {
        foreach (OptimizerState state in optimizer.State)
        {
            string stem = OptimizerPrefix + state.Name;
            foreach ((string name, Tensor tensor) in optimizer.StateNames.Zip(state.Tensors))
                writer.Add($"{stem}:{name}", tensor.Shape.ToArray(), tensor.ToArray());
            writer.Add($"{stem}:{StepName}", [], new int[] { state.Step });
        }
    }

    private static void Add(SafeTensorsWriter writer, WeightAverage average)
    {
        foreach ((string name, Tensor tensor) in average.State)
            writer.Add(OptimizerPrefix + name + AverageSuffix, tensor.Shape.ToArray(), tensor.ToArray());
        writer.Add(AverageSteps, [], new int[] { average.Steps });
    }

    /// <summary>The checkpoint that <paramref name="path"/> means: that of a model which comes with the program, by its
    /// name; the model of a run's folder; or a file as it is.</summary>
    /// <exception cref="InputException">A folder without a checkpoint, or a model that this build has not.</exception>
    public static string Find(string path) => ShippedModels.Find(path)?.Path
        ?? (Directory.Exists(path) ? CheckpointFiles.Find(path) : path);

    /// <summary>Reads a model.</summary>
    /// <exception cref="InputException">No checkpoint of this program, or damaged.</exception>
    public static (CliperModel Model, CheckpointInfo Info) Load(string path, Device device)
    {
        using CheckpointReader reader = new(path);
        CheckpointInfo info = reader.Info;
        return (reader.ReadModel(device), info);
    }
}
