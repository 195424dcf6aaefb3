using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.DataSets;
using Cliper.Model.Faces;
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
public static class Checkpoint
{
    private const string Format = "cliper-checkpoint-1";
    private const string ClipPrefix = "clip.";
    private const string OptimizerPrefix = "optimizer.";
    private const string StepName = "step";
    private const string AverageSuffix = ":average";
    private const string AverageSteps = OptimizerPrefix + "average_steps";
    private const string MethodKey = "method";
    private const string AnswerTemperatureKey = "answerTemperature";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Writes a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <param name="info">Facts about it.</param>
    /// <param name="type">F32, or F16 for half the size.</param>
    public static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type = TensorType.F32) =>
        Save(path, model, info, type, null);

    /// <summary>Writes a run's state, to be resumed bit by bit.</summary>
    internal static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type,
        ResumeState? progress)
    {
        var writer = new SafeTensorsWriter();
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
        writer.Metadata["classes"] = JsonSerializer.Serialize(model.Classes, Json);
        writer.Metadata["clip_config"] = JsonSerializer.Serialize(model.Clip.Config, Json);
        // METD is what a checkpoint without a method holds: files of earlier versions name none.
        if (model.Prompts.Method != Metd.MethodName)
            writer.Metadata[MethodKey] = model.Prompts.Method;
        foreach ((string key, object value) in model.Prompts.Metadata)
            writer.Metadata[key] = JsonSerializer.Serialize(value, Json);
        writer.Metadata["temperature"] = model.Temperature.ToString("R", CultureInfo.InvariantCulture);
        // Files of earlier versions have none, which is 1.
        if (model.AnswerTemperature != 1)
            writer.Metadata[AnswerTemperatureKey] = model.AnswerTemperature.ToString("R", CultureInfo.InvariantCulture);
        writer.Metadata["info"] = JsonSerializer.Serialize(info, Json);
        if (progress is not null)
            writer.Metadata["state"] = JsonSerializer.Serialize(progress.State, Json);
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
        ?? (Directory.Exists(path) ? RunCheckpoints.Find(path) : path);

    /// <summary>Reads a model.</summary>
    /// <exception cref="InputException">No checkpoint of this program, or damaged.</exception>
    public static (CliperModel Model, CheckpointInfo Info) Load(string path, Device device)
    {
        using CheckpointReader reader = new(path);
        return (reader.ReadModel(device), reader.Info);
    }

    /// <summary>An open checkpoint.</summary>
    internal sealed class CheckpointReader : IDisposable
    {
        private readonly TensorSource _source;

        public CheckpointReader(string path)
        {
            _source = TensorSource.Open(path);
            if (_source.Metadata.GetValueOrDefault("format") != Format)
            {
                _source.Dispose();
                throw new InputException(
                    $"{path}: not a checkpoint of cliper-gpu ('format' in the metadata is not {Format})")
                { Remedy = Remedy.GiveCheckpoint };
            }
        }

        public CheckpointInfo Info
        {
            get
            {
                var info = Read<CheckpointInfo>("info");
                if (info.FaceTemplate is { IsValid: false } template)
                    throw Damaged("metadata 'info'",
                        $"a template of {Faces.FaceTemplate.PointCount} points that differ", $"{template}");
                return info;
            }
        }

        public TrainingState? State
        {
            get
            {
                TrainingState? state = _source.Metadata.ContainsKey("state") ? Read<TrainingState>("state") : null;
                if (state?.LossScale is { IsValid: false } scale)
                    throw Damaged("metadata 'state'", "a loss scale from 1 to 2^24", $"{scale}");
                return state;
            }
        }

        public CliperModel ReadModel(Device device)
        {
            var classes = Read<string[]>("classes");
            float temperature = Read<float>("temperature");
            float answerTemperature = _source.Metadata.ContainsKey(AnswerTemperatureKey)
                ? Read<float>(AnswerTemperatureKey) : 1;
            if (!(answerTemperature is > 0 and < float.PositiveInfinity))
                throw Damaged($"metadata '{AnswerTemperatureKey}'", "a number above 0", $"{answerTemperature}");
            ClipConfig config = Read<ClipConfig>("clip_config");
            if (config.Faults().FirstOrDefault() is { } fault)
                throw Damaged("metadata 'clip_config'", "the configuration of a CLIP", fault);
            string method = _source.Metadata.GetValueOrDefault(MethodKey, Metd.MethodName);
            IPromptLearner prompts = PromptLearners.Read(method, new PromptSource(this, device, config, classes));
            Dictionary<string, float[]> values = _source.Tensors.Keys
                .Where(name => name.StartsWith(ClipPrefix, StringComparison.Ordinal))
                .ToDictionary(name => name[ClipPrefix.Length..], _source.ReadFloats);
            try
            {
                return new CliperModel(new ClipModel(device, ClipWeights.From(config, values)), prompts, classes,
                    temperature)
                {
                    AnswerTemperature = answerTemperature,
                };
            }
            catch
            {
                prompts.Dispose();
                throw;
            }
        }

        /// <summary>Gives an optimizer over the same parameters the state that was saved.</summary>
        public void Restore(IOptimizer optimizer)
        {
            const string Suffix = ":" + StepName;
            foreach (string key in _source.Tensors.Keys.Where(key =>
                key.StartsWith(OptimizerPrefix, StringComparison.Ordinal)
                    && key.EndsWith(Suffix, StringComparison.Ordinal)))
            {
                string stem = key[..^Suffix.Length];
                optimizer.Restore(stem[OptimizerPrefix.Length..], (int)_source.ReadIntegers(key)[0],
                    [.. optimizer.StateNames.Select(name => _source.ReadFloats($"{stem}:{name}"))]);
            }
        }

        /// <summary>Gives an average over the same weights the state that was saved; one that was not saved begins
        /// with the weights.</summary>
        public void Restore(WeightAverage average)
        {
            if (_source.Tensors.ContainsKey(AverageSteps))
                average.Restore((int)_source.ReadIntegers(AverageSteps)[0],
                    name => _source.ReadFloats(OptimizerPrefix + name + AverageSuffix));
        }

        public void Dispose() => _source.Dispose();

        private T Read<T>(string key)
        {
            if (!_source.Metadata.TryGetValue(key, out string? text))
                throw Damaged($"metadata '{key}'", typeof(T).Name, "nothing");
            try
            {
                return JsonSerializer.Deserialize<T>(text, Json) ?? throw new JsonException("null");
            }
            catch (Exception e) when (e is JsonException or ArgumentException)
            {
                throw Damaged($"metadata '{key}'", typeof(T).Name, text.Length > 60 ? text[..60] + "…" : text);
            }
        }

        private InputException Damaged(string what, string expected, string found) =>
            new($"{_source.Path}: {what}: expected {expected}, found {found}: the checkpoint is damaged; use another "
                + "of the run");

        private sealed class PromptSource(CheckpointReader reader, Device device, ClipConfig config,
            IReadOnlyList<string> classes)
            : IPromptSource
        {
            public Device Device => device;

            public ClipConfig Config => config;

            public IReadOnlyList<string> Classes => classes;

            public T Read<T>(string key) => reader.Read<T>(key);

            public IReadOnlyList<long> ShapeOf(string name) => reader._source.Entry(name).Shape;

            public float[] ReadFloats(string name) => reader._source.ReadFloats(name);

            public InputException Damaged(string what, string expected, string found) =>
                reader.Damaged(what, expected, found);
        }
    }
}
