using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.Images;
using Cliper.Model.Interpretation;
using Cliper.Model.Metrics;
using Cliper.Model.Prompts;
using Cliper.Model.Reporting;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Stages;
using Cliper.Model.Text;

namespace Cliper.Model.Runs;

/// <summary>Makes a finished run's report.</summary>
public static class RunReport
{
    private const int WordsPerToken = 3;
    private const int ExamplesPerDescriptor = 4;
    private const int MostMistakes = 24;

    internal static ReportModel Of(TrainResult result, TrainSettings settings, TrainingData data,
        List<ReportNote> notes,
        IReadOnlyList<MetricRow> history, Device device, TimeSpan elapsed)
    {
        DataSplit split = data.Result;
        if (data.Note.Length > 0)
            notes.Add(new ReportNote(data.Note));
        if (settings.Select == Selection.BestOnTest)
            notes.Add(new ReportNote(
                $"The epoch was chosen by its result on {split.Name} itself, as the authors' script does: "
                + "the figure is too good by as much as that choice gains.", Warning: true));
        List<ReportBaseline> baselines = [];
        if (result.ZeroShot is { } zeroShot)
            baselines.Add(new ReportBaseline("zero-shot CLIP, captions of the class names", zeroShot.Confusion));
        if (result.AfterStage1 is { } stage1)
            baselines.Add(new ReportBaseline("stage 1 alone: descriptors, image tower frozen", stage1.Confusion));
        int images = split.Samples.Count;
        return new ReportModel
        {
            Title = TitleOf(settings),
            Subtitle = $"{Describe(result.Model)}; {device.Name}; {elapsed.TotalMinutes:F0} min; {images} samples of "
                + $"{split.Name}",
            Created = DateTimeOffset.Now,
            SplitName = split.Name,
            Result = result.Result.Confusion,
            Baselines = baselines,
            Notes = notes,
            History = history,
            Settings = SettingsJson.Flat(settings),
            Paper = PaperResults.DataSetOf(result.DataFormat, settings.Choices),
            PaperRemarks = ProtocolRemarks.Of(settings, result.DataFormat, result.Model.Clip.Config),
            Descriptors = Descriptors(result, split),
            Mistakes = Mistakes(result, split),
        };
    }

    /// <summary>The report of several folds: the means, and the confusion matrix of all folds' test splits
    /// together.</summary>
    internal static ReportModel Of(FoldsResult result, TrainSettings settings, IReadOnlyList<ReportNote> notes,
        Device device) => new()
        {
            Title = TitleOf(settings),
            Subtitle = $"{result.Folds.Count} folds; {device.Name}; {result.Confusion.Samples} samples in all",
            Created = DateTimeOffset.Now,
            SplitName = $"{result.Folds[0].Result.Split} of all folds",
            Result = result.Confusion,
            Folds = [.. result.Folds.Select(fold =>
            new ReportFold(fold.Fold, $"{CrossValidation.NameOf(fold.Fold)}/report.html", fold.Result.Matrix))],
            Notes = notes,
            Settings = SettingsJson.Flat(settings),
            Paper = result.Paper,
            PaperRemarks = result.Folds[0].Result.Remarks ?? [],
        };

    /// <summary>
    /// For every learned vector of the model, class by class, its nearest words of the vocabulary; empty where the
    /// prompt method learns no vectors of that kind.
    /// </summary>
    public static IReadOnlyList<IReadOnlyList<NearestWord>> NearestWordsOf(CliperModel model, ClipTokenizer tokenizer,
        int count)
    {
        BpeVocabulary vocabulary = tokenizer.Vocabulary;
        if (model.Prompts is not Metd metd)
            return [];
        return NearestWords.Find(model.Clip.Parameters["token_embedding.weight"].ToArray(), model.Clip.Config.TextWidth,
            metd.Vectors.ToArray(), id => BpeVocabulary.ToText(vocabulary.Tokens[id]), count, id =>
                TokenWords.IsWord(vocabulary.Tokens[id]));
    }

    private static IReadOnlyList<ReportDescriptor> Descriptors(TrainResult result, DataSplit split)
    {
        CliperModel model = result.Model;
        return DescriptorGallery.Of(split, model.Prompts.PromptsPerClass,
            [.. result.Result.Predictions.Index().Where(answer => answer.Item is not null).Select(answer =>
                DescriptorAnswer.Of(answer.Index, split.Samples[answer.Index].Label, answer.Item!,
                    model.Temperature))],
            TokenWords.Of(model, result.Tokenizer.Vocabulary, WordsPerToken), ExamplesPerDescriptor);
    }

    private static List<ReportMistake> Mistakes(TrainResult result, DataSplit split) =>
    [
        .. result.Result.Predictions
            .Select((prediction, index) => (Prediction: prediction, Sample: split.Samples[index]))
            .Where(p => p.Prediction is not null && p.Prediction.Class != p.Sample.Label)
            .OrderByDescending(p => p.Prediction!.Probabilities[p.Prediction.Class])
            .Take(MostMistakes)
            .Select(p => (p.Prediction, p.Sample, Image: DescriptorGallery.PictureOf(p.Sample)))
            .Where(p => p.Image is not null)
            .Select(p => new ReportMistake(p.Image!, split.Classes[p.Sample.Label], split.Classes[p.Prediction!.Class],
                p.Prediction.Probabilities[p.Prediction.Class])),
    ];

    private static string TitleOf(TrainSettings settings) =>
        $"{settings.Method.Title()} on "
            + (settings.Recipe == TrainSettings.CustomRecipe ? settings.DataSet : settings.Recipe);

    /// <summary>Towers and prompts of a model, in one line.</summary>
    internal static string Describe(CliperModel model)
    {
        ClipConfig c = model.Clip.Config;
        string tower = c.ResNetBlocks is { } blocks ? $"ResNet {blocks}, width {c.VisionWidth}"
            : $"ViT {c.VisionLayers} x {c.VisionWidth}, patch {c.PatchSize}";
        return $"{tower}, {c.ImageSize} px; "
            + $"M = {model.Prompts.PromptsPerClass}" + (model.Prompts is Metd metd ? $", L = {metd.Tokens}" : "");
    }
}
