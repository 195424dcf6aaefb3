using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Model.IO;
using Cliper.Model.Metrics;
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

    /// <summary>Accuracy, 0 to 1.</summary>
    public double? War => Matrix.War;

    /// <summary>Mean recall over the classes that have samples, 0 to 1.</summary>
    public double? Uar => Matrix.Uar;

    /// <summary>The trained model's counts as a matrix.</summary>
    [JsonIgnore]
    public ConfusionMatrix Matrix => ConfusionMatrix.FromRows(Classes, Confusion);

    /// <summary>Path of the file in a run's folder. It is there when the run is finished.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, FileName);

    /// <summary>The result of a run that has just ended.</summary>
    public static RunResult Of(TrainResult result) =>
        new(result.Result.Split, result.Result.Confusion.Classes, result.Result.Confusion.ToRows(),
        result.ZeroShot?.Confusion.ToRows(), result.AfterStage1?.Confusion.ToRows(), result.BestEpoch);

    /// <summary>Reads the file.</summary>
    /// <exception cref="InputException">It cannot be read, or is damaged.</exception>
    public static RunResult Read(string path)
    {
        try
        {
            RunResult result = JsonSerializer.Deserialize(File.ReadAllBytes(path), RunResultJson.Default.RunResult)
                ?? throw new JsonException("null");
            int classes = result.Classes.Count;
            long[][]?[] all = [result.Confusion, result.ZeroShot, result.AfterStage1];
            foreach (long[][] rows in all.OfType<long[][]>())
                if (classes == 0 || rows.Length != classes
                    || rows.Any(row => row?.Length != classes || row.Any(count => count < 0)))
                    throw new JsonException($"expected {classes} rows of as many counts");
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
        JsonSerializer.Serialize(stream, this, RunResultJson.Default.RunResult));
}

/// <summary>The generated code for the JSON of a <see cref="RunResult"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    RespectRequiredConstructorParameters = true,
    RespectNullableAnnotations = true,
    NewLine = "\n")]
[JsonSerializable(typeof(RunResult))]
internal sealed partial class RunResultJson : JsonSerializerContext;
