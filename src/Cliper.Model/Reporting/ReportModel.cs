using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Metrics;
using Cliper.Model.Settings;

namespace Cliper.Model.Reporting;

/// <summary>Content of report.html. Sections without content are left out.</summary>
internal sealed record ReportModel
{
    /// <summary>Headline, such as "CLIPER on fer2013".</summary>
    public required string Title { get; init; }

    /// <summary>One line under it: model, device, how long it took.</summary>
    public string Subtitle { get; init; } = "";

    /// <summary>When the run ended.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Name of the split that <see cref="Result"/> counts, such as "validation".</summary>
    public required string SplitName { get; init; }

    /// <summary>Predictions of the trained model.</summary>
    public required ConfusionMatrix Result { get; init; }

    /// <summary>The folds of a cross-validation, whose means then stand in the headline; empty for one run.</summary>
    public IReadOnlyList<ReportFold> Folds { get; init; } = [];

    /// <summary>Other results on the same split, such as zero-shot, in the order to show them.</summary>
    public IReadOnlyList<ReportBaseline> Baselines { get; init; } = [];

    /// <summary>How the data were made and used, and whatever a reader has to know to judge the numbers.</summary>
    public IReadOnlyList<ReportNote> Notes { get; init; } = [];

    /// <summary>The rows of metrics.jsonl.</summary>
    public IReadOnlyList<MetricRow> History { get; init; } = [];

    /// <summary>The settings: path and value.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; } = [];

    /// <summary>The data set whose published results stand beside the run's; null for none.</summary>
    public PaperDataSet? Paper { get; init; }

    /// <summary>Where the run is not the paper's, and where the paper's value is not known to us.</summary>
    public IReadOnlyList<SettingRemark> PaperRemarks { get; init; } = [];

    /// <summary>The learned descriptors by class, then descriptor.</summary>
    public IReadOnlyList<ReportDescriptor> Descriptors { get; init; } = [];

    /// <summary>Misclassified samples, the surest first.</summary>
    public IReadOnlyList<ReportMistake> Mistakes { get; init; } = [];
}

/// <summary>A fold of a cross-validation.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Link">Its own report, relative to this one.</param>
/// <param name="Result">Predictions on its test split.</param>
internal sealed record ReportFold(int Number, string Link, ConfusionMatrix Result);

/// <summary>A result to compare with.</summary>
/// <param name="Name">Its method, such as "zero-shot, a photo of {class}".</param>
/// <param name="Result">Its predictions on the same split.</param>
internal sealed record ReportBaseline(string Name, ConfusionMatrix Result);

/// <summary>A remark about the run.</summary>
/// <param name="Text">A sentence.</param>
/// <param name="Warning">Whether it qualifies the result: "the best epoch was chosen on the test set".</param>
internal sealed record ReportNote(string Text, bool Warning = false);

/// <summary>An image that the report shows.</summary>
/// <param name="Name">Its file or name.</param>
/// <param name="Image">The image; shown small.</param>
internal sealed record ReportImage(string Name, RgbImage Image);

/// <summary>A descriptor (subclass) of a class.</summary>
/// <param name="Class">The class.</param>
/// <param name="Number">Number of the descriptor in its class, from 1.</param>
/// <param name="Tokens">Its learned tokens with the vocabulary around them; empty where it has none.</param>
/// <param name="Nearest">Samples of the class, right or wrong, whose nearest descriptor of the class it is.</param>
/// <param name="Right">Those of them that were predicted right.</param>
/// <param name="Examples">Some of the samples, the clearest first.</param>
internal sealed record ReportDescriptor(string Class, int Number, IReadOnlyList<TokenWords> Tokens,
    long Nearest, long Right, IReadOnlyList<ReportExample> Examples)
{
    /// <summary>Part of the class's samples, 0 to 1.</summary>
    public double Share { get; init; }

    /// <summary>Median of how much larger the samples' cosine with it is than with the class's next descriptor; null
    /// without samples.</summary>
    public double? MedianMargin { get; init; }
}

/// <summary>A sample in the gallery of its descriptor.</summary>
/// <param name="Picture">The sample.</param>
/// <param name="Mistaken">The class that it was taken for; null where it was predicted right.</param>
internal sealed record ReportExample(ReportImage Picture, string? Mistaken);

/// <summary>A sample that was predicted wrong.</summary>
/// <param name="Picture">The sample.</param>
/// <param name="Actual">Its class.</param>
/// <param name="Predicted">Name of the predicted class.</param>
/// <param name="Probability">Probability of the prediction, 0 to 1.</param>
internal sealed record ReportMistake(ReportImage Picture, string Actual, string Predicted, double Probability);
