using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;

namespace Cliper.Model.Runs;

/// <summary>Content of a finished run's result.json: the counts, rows by true class, and the scores that follow from
/// them.</summary>
/// <param name="Split">Name of the split.</param>
/// <param name="Classes">Class names in the order of rows and columns.</param>
/// <param name="Confusion">The trained model's counts.</param>
/// <param name="ZeroShot">Those of the CLIP alone; null where it was not measured.</param>
/// <param name="AfterStage1">Those after stage 1; null where they were not measured.</param>
/// <param name="BestEpoch">Epoch of stage 2 whose model it is, from 1; 0 for the last.</param>
public sealed record RunResult(string Split, IReadOnlyList<string> Classes, long[][] Confusion, long[][]? ZeroShot,
    long[][]? AfterStage1, int BestEpoch)
{
    private const string FileName = "result.json";
    private const int PresentSchema = 1;

    private static readonly JsonTypeInfo<RunResult> Json = new RunResultJson(new(RunResultJson.Default.Options)
    {
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    }).RunResult;

    /// <summary>Accuracy, 0 to 1.</summary>
    public double? War => Matrix.War;

    /// <summary>Mean recall over the classes that have samples, 0 to 1.</summary>
    public double? Uar => Matrix.Uar;

    /// <summary>The trained model's counts as a matrix.</summary>
    [JsonIgnore]
    public ConfusionMatrix Matrix => ConfusionMatrix.FromRows(Classes, Confusion);

    /// <summary>Version of the file's form; 0 in files of version 0.1, which have none of what follows.</summary>
    public int Schema { get; init; }

    /// <summary>Version of the program that made the result.</summary>
    public string? Version { get; init; }

    /// <summary>The commit that the program was built from.</summary>
    public string? Commit { get; init; }

    /// <summary>How the program was called.</summary>
    public string? CommandLine { get; init; }

    /// <summary>Name of the device that trained.</summary>
    public string? Device { get; init; }

    /// <summary>Seconds that the run took, those of its interrupted parts included as far as its metrics know
    /// them.</summary>
    public double? Seconds { get; init; }

    /// <summary>Parameters that were trained, each counted once.</summary>
    public long? TrainedParameters { get; init; }

    /// <summary>Seed of the run.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Samples of each class, by split.</summary>
    public IReadOnlyDictionary<string, IReadOnlyDictionary<string, int>>? Data { get; init; }

    /// <summary>Layout of the data.</summary>
    public string? DataFormat { get; init; }

    /// <summary>Which images were used: aligned (rotated by landmarks), cropped, whole, or unknown.</summary>
    public string? Faces { get; init; }

    /// <summary>Recall of each class that has samples.</summary>
    public IReadOnlyDictionary<string, double>? Recall { get; init; }

    /// <summary>Samples of class k whose nearest own descriptor is m, [k][m].</summary>
    public long[][]? DescriptorUsage { get; init; }

    /// <summary>Where the run is not the paper's, and where the paper's value is not known to us.</summary>
    public IReadOnlyList<SettingRemark>? Remarks { get; init; }

    /// <summary>How evenly descriptors are used, 0 to 1: see <see cref="Metrics.DescriptorUsage"/>.</summary>
    public double? UsageEntropy => DescriptorUsage is null ? null : Metrics.DescriptorUsage.EntropyOf(DescriptorUsage);

    /// <summary>Path of the file in a run's folder. It is there when the run is finished.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, FileName);

    /// <summary>The result of a run that has just ended.</summary>
    /// <param name="result">Its model and evaluations.</param>
    /// <param name="settings">Its settings.</param>
    /// <param name="data">Its data.</param>
    /// <param name="seconds">Time that it took.</param>
    public static RunResult Of(TrainResult result, TrainSettings settings, TrainingData data, double seconds)
    {
        ConfusionMatrix confusion = result.Result.Confusion;
        return new(result.Result.Split, confusion.Classes, confusion.ToRows(),
            result.ZeroShot?.Confusion.ToRows(), result.AfterStage1?.Confusion.ToRows(), result.BestEpoch)
        {
            Schema = PresentSchema,
            Version = Provenance.Version,
            Commit = Provenance.Commit,
            CommandLine = Provenance.CommandLine,
            Device = result.Model.Clip.Device.Name,
            Seconds = Math.Round(seconds, 3),
            TrainedParameters = result.TrainedParameters,
            Seed = settings.Seed,
            Data = new[] { data.Train, data.Validation, data.Test }.OfType<DataSplit>()
                .ToDictionary(split => split.Name, CountsOf),
            DataFormat = result.DataFormat,
            Faces = data.Alignment switch
            {
                FaceAlignment.Aligned => "aligned",
                FaceAlignment.Cropped => "cropped",
                FaceAlignment.WholeImage => "whole",
                _ => "unknown",
            },
            Recall = Enumerable.Range(0, confusion.Classes.Count).Select(confusion.Score)
                .Where(score => score.Recall is not null)
                .ToDictionary(score => score.Name, score => score.Recall!.Value),
            DescriptorUsage = UsageOf(result, data.Result),
            Remarks = ProtocolRemarks.Of(settings, result.DataFormat, result.Model.Clip.Config),
        };
    }

    private static IReadOnlyDictionary<string, int> CountsOf(DataSplit split) =>
        split.Classes.Zip(split.CountByClass()).ToDictionary(pair => pair.First, pair => pair.Second);

    /// <summary>Counts the samples' nearest descriptors of their own class.</summary>
    private static long[][] UsageOf(TrainResult result, DataSplit split)
    {
        var usage = new long[split.Classes.Count][];
        for (int k = 0; k < usage.Length; k++)
            usage[k] = new long[result.Model.Prompts.PromptsPerClass];
        foreach ((Prediction? prediction, Sample sample) in result.Result.Predictions.Zip(split.Samples))
            if (prediction is not null)
                usage[sample.Label][prediction.Nearest[sample.Label]]++;
        return usage;
    }

    /// <summary>Reads the file.</summary>
    /// <exception cref="InputException">It cannot be read, or is damaged.</exception>
    public static RunResult Read(string path)
    {
        try
        {
            RunResult result = JsonSerializer.Deserialize(File.ReadAllBytes(path), Json)
                ?? throw new JsonException("null");
            int classes = result.Classes.Count;
            long[][]?[] all = [result.Confusion, result.ZeroShot, result.AfterStage1];
            foreach (long[][] rows in all.OfType<long[][]>())
                if (classes == 0 || rows.Length != classes
                    || rows.Any(row => row?.Length != classes || row.Any(count => count < 0)))
                    throw new JsonException($"expected {classes} rows of as many counts");
            if (result.DescriptorUsage?.Any(row => row is null || row.Any(count => count < 0)) == true)
                throw new JsonException("descriptorUsage has a row without counts");
            return result;
        }
        catch (Exception failure) when (
            failure is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            throw new InputException($"{path}: no result of a run ({JsonInput.Reason(failure)}); remove the file, and "
                + "the fold is run again", failure);
        }
    }

    /// <summary>Writes the file, whole or not at all.</summary>
    /// <exception cref="IOException">The folder cannot be written to.</exception>
    public void Write(string path) => AtomicFile.Write(path, stream =>
        JsonSerializer.Serialize(stream, this, Json));
}

/// <summary>The generated code for the JSON of a <see cref="RunResult"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    NewLine = "\n")]
[JsonSerializable(typeof(RunResult))]
internal sealed partial class RunResultJson : JsonSerializerContext;
