using Cliper.Kernels.Memory;
using Cliper.Model.Clip;
using Cliper.Model.DataSets;
using Cliper.Model.Images;
using Cliper.Model.Loading;
using Cliper.Model.Samples;
using Cliper.Model.Settings;
using Cliper.Model.Text;

namespace Cliper.Model.Stages;

/// <summary>The splits of a run, and the captions of its images where a CLIP is pre-trained.</summary>
/// <param name="Train">The training split.</param>
/// <param name="Validation">The split that an epoch may be selected on; null if there is none.</param>
/// <param name="Test">The split that is reported; null if there is none.</param>
/// <param name="Settings">The run's settings.</param>
/// <param name="Note">Note on the data for readers of the result; may be empty.</param>
/// <param name="Captions">An image's own caption, by its index in <paramref name="Train"/> and the epoch; null to make
/// captions of the labels by the settings' templates.</param>
public sealed record TrainingData(DataSplit Train, DataSplit? Validation, DataSplit? Test, TrainSettings Settings,
    string Note = "", Func<int, int, string>? Captions = null)
{
    /// <summary>Name of the data's layout; empty for data made by the program.</summary>
    public string Format { get; init; } = "";

    /// <summary>How faces lie in the images.</summary>
    public FaceAlignment Alignment { get; init; }

    /// <summary>The split whose result is reported.</summary>
    /// <exception cref="InputException">The data has a training split alone.</exception>
    public DataSplit Result => Test ?? Validation
        ?? throw new InputException(
            "the data has neither a test nor a validation split: nothing to measure the result on");

    /// <summary>The split evaluated after epochs; the result's own only where no other is there or it is asked
    /// for.</summary>
    public DataSplit? Selection => Settings.Select == Model.Settings.Selection.BestOnTest ? Result : Validation ?? Test;

    /// <summary>
    /// Captions of a batch. Made of labels, all of a batch use one template, another each batch, so that two images
    /// of one class have equal captions and count as each other's right answer. Images with captions of their own use
    /// these after the epochs that the settings leave to labels.
    /// </summary>
    public IEnumerable<string> CaptionsOf(Batch batch, int epoch)
    {
        if (Captions is not null && epoch >= Settings.LabelCaptionEpochs)
            return batch.Indices.Take(batch.Count).Select(index => Captions(index, epoch));
        string template = Settings.CaptionTemplates[(int)(
            (uint)(epoch + batch.Number) % Settings.CaptionTemplates.Count)];
        return batch.Labels.Take(batch.Count)
            .Select(label => PromptTemplates.Fill(template, Train.Classes[label]));
    }

    /// <summary>Every caption that may occur, for the vocabulary, with the descriptors' template.</summary>
    public IEnumerable<string> AllCaptions()
    {
        IEnumerable<string> ofLabels = Captions is null || Settings.LabelCaptionEpochs > 0
            ? Settings.CaptionTemplates.SelectMany(template =>
                Train.Classes.Select(name => PromptTemplates.Fill(template, name)))
            : [];
        IEnumerable<string> own = Captions is null ? []
            : Enumerable.Range(0, Train.Samples.Count).Select(index => Captions(index, 0));
        return ofLabels.Concat(own).Append(Settings.Template + ".");
    }

    /// <summary>Shuffled and augmented batches of the training split.</summary>
    public BatchLoader TrainLoader(StageSettings stage, ImageInput input, Device device) =>
        TrainLoader(stage, input, device, features: null);

    /// <summary>Shuffled batches of the training split, of features where there are any.</summary>
    internal BatchLoader TrainLoader(StageSettings stage, ImageInput input, Device device, FeatureTable? features) =>
        new(Train, Options(input, device) with
        {
            BatchSize = stage.BatchSize,
            Order = Settings.Balanced ? SampleOrder.Balanced : SampleOrder.Shuffled,
            RandomFrames = true,
            DropLast = Settings.DropLast && Train.Samples.Count >= stage.BatchSize,
            Augmentation = Augmentation.Named(stage.Augmentation),
            AugmentationRampEpochs = stage.AugmentationRampEpochs,
        })
        { Features = features };

    /// <summary>All samples of a split once, in order, with the test transform.</summary>
    public BatchLoader TestLoader(DataSplit split, ImageInput input, Device device) =>
        TestLoader(split, input, device, features: null);

    /// <summary>All samples of a split once, in order, by features where there are any.</summary>
    internal BatchLoader TestLoader(DataSplit split, ImageInput input, Device device, FeatureTable? features) =>
        new(split, Options(input, device)) { Features = features };

    private LoaderOptions Options(ImageInput input, Device device) => LoaderOptions.For(input, device) with
    {
        BatchSize = 64,
        Frames = Settings.Frames,
        FramesPerSegment = Settings.FramesPerSegment,
        ShortClips = Settings.ShortClips,
        RandomFrames = false,
        Seed = Settings.Seed,
        Cache = Settings.Cache,
        CacheFolder = Settings.CacheFolder,
        Strict = Settings.Strict,
    };
}
