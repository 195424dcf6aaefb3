using System.Text.Json;
using Cliper.Autograd;
using Cliper.Autograd.Optimizers;
using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Weights;

namespace Cliper.Model.Checkpoints;

public static partial class Checkpoint
{
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

        /// <summary>The shape of its CLIP.</summary>
        public ClipConfig Config => Read(ConfigKey, ClipConfigJson.Read);

        public CheckpointInfo Info
        {
            get
            {
                CheckpointInfo info = Read("info", CheckpointJson.ReadInfo);
                if (info.Frames is < 1 or > MostFrames || info.FramesPerSegment < 1
                    || info.Frames % info.FramesPerSegment != 0)
                    throw Damaged("metadata 'info'", $"1 to {MostFrames} frames in whole segments",
                        $"{info.Frames} in segments of {info.FramesPerSegment}");
                if (!(Math.Abs(info.FaceMargin) <= MostFaceMargin) || !Enum.IsDefined(info.ShortClips)
                    || !Enum.IsDefined(info.Alignment))
                    throw Damaged("metadata 'info'", "a face margin and known rules",
                        $"{info.FaceMargin}, {info.ShortClips}, {info.Alignment}");
                if (info.Recipe is null || info.Note is null)
                    throw Damaged("metadata 'info'", "a recipe and a note", "null");
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
                TrainingState? state = _source.Metadata.ContainsKey(StateKey) ? Read<TrainingState>(StateKey) : null;
                if (state?.LossScale is { IsValid: false } scale)
                    throw Damaged("metadata 'state'", "a loss scale from 1 to 2^24", $"{scale}");
                if (state is { Epoch: < 0 } or { Step: < 0 } or { BestEpoch: < 0 })
                    throw Damaged("metadata 'state'", "an epoch and a step from 0",
                        $"epoch {state.Epoch}, step {state.Step}, best {state.BestEpoch}");
                int classes = Classes.Length;
                if (new[] { state?.ZeroShot, state?.AfterStage1 }.Any(counts => counts is not null
                    && (counts.Length != classes || counts.Any(row => row?.Length != classes
                        || row.Any(count => count < 0)))))
                    throw Damaged("metadata 'state'", $"counts of {classes} x {classes} classes", "others");
                return state;
            }
        }

        public CliperModel ReadModel(Device device)
        {
            string[] classes = Classes;
            float temperature = PositiveNumber("temperature"), answerTemperature =
                _source.Metadata.ContainsKey(AnswerTemperatureKey) ? PositiveNumber(AnswerTemperatureKey) : 1;
            ClipConfig config = Read(ConfigKey, ClipConfigJson.Read);
            if (config.Faults().FirstOrDefault() is { } fault)
                throw Damaged("metadata 'clip_config'", "the configuration of a CLIP", fault);
            Dictionary<string, float[]> values = ReadClip(config);
            string method = _source.Metadata.GetValueOrDefault(MethodKey, Metd.MethodName);
            IPromptLearner prompts = PromptLearners.Read(method, new PromptSource(this, device, config, classes));
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

        private string[] Classes
        {
            get
            {
                var classes = Read<string[]>("classes");
                return classes.Length > 0 && !classes.Any(string.IsNullOrEmpty)
                    && classes.Distinct(StringComparer.Ordinal).Count() == classes.Length ? classes
                    : throw Damaged("metadata 'classes'", "names that differ",
                        string.Join(", ", classes.Take(5).Select(name => ForeignText.Quote(name ?? "null"))));
            }
        }

        /// <summary>Reads the CLIP's tensors, which must be those of its configuration.</summary>
        private Dictionary<string, float[]> ReadClip(ClipConfig config)
        {
            var values = new Dictionary<string, float[]>();
            foreach ((string name, Shape shape) in ClipTensors.List(config))
            {
                IReadOnlyList<long> found = _source.Entry(ClipPrefix + name).Shape;
                if (!found.SequenceEqual(shape.ToArray().Select(size => (long)size)))
                    throw Damaged($"tensor {ClipPrefix}{name}", $"{shape} by the metadata 'clip_config'",
                        $"[{string.Join(", ", found)}]");
                values.Add(name, _source.ReadFiniteFloats(ClipPrefix + name));
            }
            string[] others = [.. _source.Tensors.Keys.Where(name =>
                name.StartsWith(ClipPrefix, StringComparison.Ordinal)
                && !values.ContainsKey(name[ClipPrefix.Length..]))];
            return others.Length == 0 ? values
                : throw Damaged("the tensors", "those of the metadata 'clip_config'",
                    $"{others.Length} more, such as {ForeignText.Quote(others[0])}");
        }

        private float PositiveNumber(string key)
        {
            // Beyond these the logits leave the range of a float.
            const float Least = 1e-6f, Most = 1e6f;
            float number = Read<float>(key);
            return number is >= Least and <= Most ? number
                : throw Damaged($"metadata '{key}'", $"a number from {Least} to {Most}", $"{number}");
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
                int step = ReadStep(key);
                float[][] state =
                    [.. optimizer.StateNames.Select(name => _source.ReadFiniteFloats($"{stem}:{name}"))];
                try
                {
                    optimizer.Restore(stem[OptimizerPrefix.Length..], step, state);
                }
                catch (ArgumentException failure)
                {
                    throw Damaged($"tensor {ForeignText.Quote(key)}", "the state of a trained parameter",
                        failure.Message);
                }
            }
        }

        /// <summary>Gives an average over the same weights the state that was saved; one that was not saved begins
        /// with the weights.</summary>
        public void Restore(WeightAverage average)
        {
            if (!_source.Tensors.ContainsKey(AverageSteps))
                return;
            try
            {
                average.Restore(ReadStep(AverageSteps),
                    name => _source.ReadFiniteFloats(OptimizerPrefix + name + AverageSuffix));
            }
            catch (ArgumentException failure)
            {
                throw Damaged($"tensor {ForeignText.Quote(AverageSteps)}", "the average of the trained weights",
                    failure.Message);
            }
        }

        private int ReadStep(string key) => _source.ReadIntegers(key) is [>= 0 and <= int.MaxValue and var step]
            ? (int)step
            : throw Damaged($"tensor {ForeignText.Quote(key)}", "one whole number from 0", $"{_source.Entry(key)}");

        public void Dispose() => _source.Dispose();

        private T Read<T>(string key) => Read(key, CheckpointJson.Read<T>);

        private T Read<T>(string key, Func<string, T> read)
        {
            if (!_source.Metadata.TryGetValue(key, out string? text))
                throw Damaged($"metadata '{key}'", typeof(T).Name, "nothing");
            try
            {
                return read(text);
            }
            catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException
                or NotSupportedException)
            {
                throw Damaged($"metadata '{key}'", typeof(T).Name, ForeignText.Short(text));
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

            public float[] ReadFloats(string name) => reader._source.ReadFiniteFloats(name);

            public InputException Damaged(string what, string expected, string found) =>
                reader.Damaged(what, expected, found);
        }
    }
}
