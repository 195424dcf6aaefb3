using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Cliper.Model.IO;

namespace Cliper.Model.Metrics;

/// <summary>
/// Measurements of a step or an epoch: a line of metrics.jsonl and metrics.csv, and a point of each curve. Values
/// that were not measured are null and left out.
/// </summary>
internal sealed record MetricRow
{
    /// <summary>Value of <see cref="Event"/> after a training step.</summary>
    public const string StepEvent = "step";

    /// <summary>Value of <see cref="Event"/> after an epoch.</summary>
    public const string EpochEvent = "epoch";

    /// <summary>"step" or "epoch".</summary>
    public required string Event { get; init; }

    /// <summary>The stage that the step or epoch belongs to.</summary>
    public required TrainingStage Stage { get; init; }

    /// <summary>Steps of the stage done.</summary>
    public required long Step { get; init; }

    /// <summary>Epochs of the stage begun, from 1.</summary>
    public required int Epoch { get; init; }

    /// <summary>Step within the epoch, from 1; of step rows.</summary>
    public int? StepOfEpoch { get; init; }

    /// <summary>The loss that is minimized; over an epoch its mean.</summary>
    public double? Loss { get; init; }

    /// <summary>Fine-grained cross-entropy of it.</summary>
    public double? Fine { get; init; }

    /// <summary>Margin loss of it.</summary>
    public double? Margin { get; init; }

    /// <summary>Accuracy on the training samples seen.</summary>
    public double? Accuracy { get; init; }

    /// <summary>Accuracy on the evaluation split.</summary>
    public double? War { get; init; }

    /// <summary>Mean recall on the evaluation split.</summary>
    public double? Uar { get; init; }

    /// <summary>Learning rate of the step.</summary>
    [JsonPropertyName("lr")]
    public double? LearningRate { get; init; }

    /// <summary>Norm of all gradients together.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Training samples a second.</summary>
    public double? ImagesPerSecond { get; init; }

    /// <summary>Share of the time spent waiting for data, 0 to 1.</summary>
    public double? DataWait { get; init; }

    /// <summary>Steps left out so far because a gradient was not finite.</summary>
    public long? SkippedSteps { get; init; }

    /// <summary>Seconds since the stage began.</summary>
    public double? Seconds { get; init; }

    /// <summary>Names of the measured quantities, as in the files, and how to read them.</summary>
    internal static IReadOnlyList<(string Name, Func<MetricRow, double?> Value)> Quantities { get; } =
    [
        ("loss", row => row.Loss), ("fine", row => row.Fine), ("margin", row => row.Margin),
        ("accuracy", row => row.Accuracy), ("war", row => row.War), ("uar", row => row.Uar),
        ("lr", row => row.LearningRate), ("gradientNorm", row => row.GradientNorm),
        ("imagesPerSecond", row => row.ImagesPerSecond), ("dataWait", row => row.DataWait),
        ("skippedSteps", row => row.SkippedSteps), ("seconds", row => row.Seconds),
    ];

    /// <summary>First line of metrics.csv.</summary>
    public static string CsvHeader { get; } =
        Csv.Line(["event", "stage", "step", "epoch", .. Quantities.Select(quantity => quantity.Name)]);

    /// <summary>The row as a line of metrics.csv; what was not measured is empty.</summary>
    public string ToCsv() => Csv.Line(
    [
        Event, Stage.Name(), Step.ToString(CultureInfo.InvariantCulture), Epoch.ToString(CultureInfo.InvariantCulture),
        .. Quantities.Select(quantity => quantity.Value(this)?.ToString("R", CultureInfo.InvariantCulture) ?? ""),
    ]);

    /// <summary>
    /// The row as a line of metrics.jsonl; a value that is no number is written as "NaN" or "Infinity".
    /// </summary>
    public string ToJson() => JsonSerializer.Serialize(this, MetricRowJson.Default.MetricRow);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    /// <exception cref="JsonException">The line is no such row.</exception>
    public static MetricRow FromJson(string line) =>
        JsonSerializer.Deserialize(line, MetricRowJson.Default.MetricRow)
            ?? throw new JsonException("a row is an object, found null");
}

/// <summary>The generated code for the JSON of a <see cref="MetricRow"/>.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals)]
[JsonSerializable(typeof(MetricRow))]
internal sealed partial class MetricRowJson : JsonSerializerContext;
