using System.Globalization;
using System.Text.Json;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.DataSets;
using Cliper.Model.Prompts;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Stages;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

/// <summary>Where an interrupted run goes on.</summary>
/// <param name="Stage">"pretrain", "stage1", "stage2", or "done".</param>
/// <param name="Epoch">The epoch to run next, or in progress, from 0.</param>
/// <param name="Step">Steps of that epoch already taken.</param>
/// <param name="BestWar">Best accuracy of a selection so far; negative for none.</param>
/// <param name="BestEpoch">Its epoch of stage 2, from 1; 0 for none.</param>
/// <param name="LossScale">Within a phase with fp16 gradients, where the loss's scale stands; null elsewhere.</param>
public sealed record TrainingState(string Stage, int Epoch, int Step, double BestWar, int BestEpoch, LossScaler.State? LossScale = null)
{
    /// <summary>What the steps taken of the epoch in progress add up to.</summary>
    public EpochSums Sums { get; init; }

    /// <summary>Counts of the CLIP alone, rows by true class; null where they are not measured, or not yet.</summary>
    public long[][]? ZeroShot { get; init; }

    /// <summary>Counts after stage 1; null where they are not measured, or not yet.</summary>
    public long[][]? AfterStage1 { get; init; }
}

/// <summary>What a checkpoint says of itself beside its tensors.</summary>
/// <param name="Frames">Frames of a clip the model was trained on; 1 for pictures.</param>
/// <param name="Recipe">Name of the recipe.</param>
/// <param name="Note">What a reader of the result has to know, such as where captions came from; may be empty.</param>
public sealed record CheckpointInfo(int Frames, string Recipe, string Note)
{
    /// <summary>Consecutive frames of each segment of a clip.</summary>
    public int FramesPerSegment { get; init; } = 1;

    /// <summary>What became of clips with few frames.</summary>
    public ShortClips ShortClips { get; init; }

    /// <summary>What was added to each side of a face box, as a part of the box's size.</summary>
    public float FaceMargin { get; init; }

    /// <summary>How faces lay in the pictures.</summary>
    public FaceAlignment Alignment { get; init; }
}

/// <summary>
/// A trained model in one safetensors file: "clip.*" in OpenAI's naming, Metd.ParameterName, and "text_features", the
/// descriptors' normalised features. A run's own checkpoint also holds AdamW's moments and where it stands. Written under a
/// temporary name and renamed, so that an interruption leaves the one before.
/// </summary>
public static class Checkpoint
{
    private const string Format = "cliper-checkpoint-1";
    private const string ClipPrefix = "clip.";
    private const string OptimizerPrefix = "optimizer.";
    private const string FirstSuffix = ":first";
    private const string SecondSuffix = ":second";
    private const string StepSuffix = ":step";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    /// <summary>Writes a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model.</param>
    /// <param name="info">What to say of it.</param>
    /// <param name="type">F32, or F16 for half the size.</param>
    public static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type = TensorType.F32) =>
        Save(path, model, info, type, null, null);

    /// <summary>Writes a run's state, to be resumed bit by bit.</summary>
    internal static void Save(string path, CliperModel model, CheckpointInfo info, TensorType type, TrainingState? state,
        AdamW? optimizer)
    {
        var writer = new SafeTensorsWriter();
        foreach ((string name, Tensor tensor) in model.Clip.Parameters.StartingWith())
            writer.Add(ClipPrefix + name, tensor.Shape.ToArray(), tensor.ToArray(), type);
        // Descriptors are few and small numbers: they stay in fp32.
        writer.Add(Metd.ParameterName, model.Metd.Vectors.Shape.ToArray(), model.Metd.Vectors.ToArray());
        using (var tape = new Tape(model.Clip.Device, recording: false))
        {
            Tensor features = model.DescriptorFeatures(tape);
            writer.Add("text_features", features.Shape.ToArray(), features.ToArray());
        }
        foreach (AdamW.Moments moments in optimizer?.State ?? [])
        {
            writer.Add(OptimizerPrefix + moments.Name + FirstSuffix, moments.First.Shape.ToArray(), moments.First.ToArray());
            writer.Add(OptimizerPrefix + moments.Name + SecondSuffix, moments.Second.Shape.ToArray(), moments.Second.ToArray());
            writer.Add(OptimizerPrefix + moments.Name + StepSuffix, [], new int[] { moments.Step });
        }
        writer.Metadata["format"] = Format;
        writer.Metadata["classes"] = JsonSerializer.Serialize(model.Classes, Json);
        writer.Metadata["clip_config"] = JsonSerializer.Serialize(model.Clip.Config, Json);
        writer.Metadata["prompt"] = JsonSerializer.Serialize(model.Metd.Prompt, Json);
        writer.Metadata["temperature"] = model.Temperature.ToString("R", CultureInfo.InvariantCulture);
        writer.Metadata["info"] = JsonSerializer.Serialize(info, Json);
        if (state is not null)
            writer.Metadata["state"] = JsonSerializer.Serialize(state, Json);
        writer.Write(path);
    }

    /// <summary>The checkpoint that <paramref name="path"/> means: a file as it is, or the model of a run's folder.</summary>
    /// <exception cref="InputException">A folder without a checkpoint.</exception>
    public static string Find(string path) => Directory.Exists(path) ? RunCheckpoints.Find(path) : path;

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
                throw new InputException($"{path}: not a checkpoint of cliper-gpu ('format' in the metadata is not {Format})")
                { Remedy = Remedy.GiveCheckpoint };
            }
        }

        public CheckpointInfo Info => Read<CheckpointInfo>("info");

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
            var prompt = Read<DescriptorPrompt>("prompt");
            float temperature = Read<float>("temperature");
            ClipConfig config = Read<ClipConfig>("clip_config");
            IReadOnlyList<long> shape = _source.Entry(Metd.ParameterName).Shape;
            if (shape.Count != 4 || shape[0] != classes.Length || shape[2] != prompt.Slots || shape[3] != config.TextWidth)
                throw Damaged(Metd.ParameterName, $"[{classes.Length}, M, {prompt.Slots}, {config.TextWidth}]", $"[{string.Join(", ", shape)}]");
            Dictionary<string, float[]> values = _source.Tensors.Keys
                .Where(name => name.StartsWith(ClipPrefix, StringComparison.Ordinal))
                .ToDictionary(name => name[ClipPrefix.Length..], _source.ReadFloats);
            var clip = new ClipModel(device, ClipWeights.From(config, values));
            var vectors = Tensor.From(device, _source.ReadFloats(Metd.ParameterName), new Shape([.. shape.Select(n => (int)n)]));
            return new CliperModel(clip, new Metd(vectors, prompt), classes, temperature);
        }

        /// <summary>Gives an optimiser over the same parameters the moments that were saved.</summary>
        public void Restore(AdamW optimizer)
        {
            foreach (string key in _source.Tensors.Keys.Where(key =>
                key.StartsWith(OptimizerPrefix, StringComparison.Ordinal) && key.EndsWith(StepSuffix, StringComparison.Ordinal)))
            {
                string stem = key[..^StepSuffix.Length];
                optimizer.Restore(stem[OptimizerPrefix.Length..], (int)_source.ReadIntegers(key)[0],
                    _source.ReadFloats(stem + FirstSuffix), _source.ReadFloats(stem + SecondSuffix));
            }
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
            new($"{_source.Path}: {what}: expected {expected}, found {found}: the checkpoint is damaged; use another of the run");
    }
}
