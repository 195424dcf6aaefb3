using Cliper.Model.Clip;

namespace Cliper.Model.Settings;

/// <summary>
/// Says where settings are not the paper's, and where nobody here knows the paper's: the text of it that this program
/// was written from has lost its formulas and most of its numbers. A value that the user has changed is his own and
/// gets no such remark.
/// </summary>
public static class ProtocolRemarks
{
    private const string FromPdf = "set it from the paper";

    private static readonly string[] StillImages = ["rafdb", "affectnet"], VideoClips = ["dfew", "ferv39k", "afew"];

    /// <summary>The remarks on a run's settings; none on data for which the paper has no results.</summary>
    /// <param name="settings">Settings of the run.</param>
    /// <param name="format">Layout of the data, where it has been opened; null for the settings' own.</param>
    /// <param name="clip">Configuration of the CLIP, where it is known.</param>
    public static IReadOnlyList<SettingRemark> Of(TrainSettings settings, string? format = null,
        ClipConfig? clip = null)
    {
        string data = string.IsNullOrEmpty(format) ? settings.DataSet : format;
        bool isVideo = VideoClips.Contains(data), isPublished = Recipes.IsPublished(settings.Recipe);
        if (!isVideo && !StillImages.Contains(data) && !isPublished)
            return [];
        return
        [
            .. isPublished ? OfRecipe(settings, Recipes.Get(settings.Recipe, settings.Protocol)) : [],
            .. OfModel(settings, clip, isVideo || settings.Frames > 1),
            .. OfData(data, settings),
        ];
    }

    private static IEnumerable<SettingRemark> OfRecipe(TrainSettings settings, TrainSettings recipe)
    {
        bool isRafDb = recipe.DataSet == "rafdb";
        foreach (TrainingStage stage in (TrainingStage[])[TrainingStage.Stage1, TrainingStage.Stage2])
        {
            (StageSettings own, StageSettings published) = (settings.Of(stage), recipe.Of(stage));
            if (own.Epochs == 0)
                continue;
            string path = stage.Name();
            if (own.LearningRate == published.LearningRate)
                yield return isRafDb
                    ? new($"{path}.learningRate", "the authors' script has it; the paper's number is lost in our text")
                    : Unknown($"{path}.learningRate", "the paper's number is lost in our text, and this is the "
                        + $"script's for RAF-DB: {FromPdf}");
            if (own.Augmentation == "paper")
                yield return Unknown($"{path}.augmentation", "the paper names its four augmentations; their "
                    + "strengths are the script's");
        }
        if (settings.Stage2 is { Epochs: > 0, Schedule: ScheduleKind.Cosine })
            yield return Unknown("stage2.schedule", "the paper's rate is \"cosine decayed\" after SGDR, with restarts "
                + "or without");
        if (settings.EmptySubclasses == recipe.EmptySubclasses)
            yield return Unknown("emptySubclasses", "what equation 7 does with a descriptor that no sample is nearest "
                + "to; -1/99 is the script's");
        if (settings.Stage2 is { Epochs: > 0, Optimizer: OptimizerKind.AdamW })
            yield return new("stage2.optimizer", "the authors keep weights and moments in fp16, which makes other "
                + "steps of the same rate: adamw-half rounds as theirs does");
        if (settings.Recipe == "afew" && settings.Init.Length > 0)
            yield return Unknown("init", "the paper pre-trains \"on the fd1\" of DFEW: its part 1, or the training "
                + "split of its fold 1");
        if (settings.Recipe == "afew" && settings.Stage1.Epochs > 0)
            yield return Unknown("stage1.epochs", "whether stage 1 runs again after DFEW; 0 leaves it out");
        if (settings.Frames > 1 && settings.Choices.MinFrames == 0)
            yield return new("choices.minFrames", "every clip counts; IAL leaves those under 16 frames out, a tenth "
                + "of FERV39k's test clips, and the paper does not say: the protocol ial does so");
    }

    private static IEnumerable<SettingRemark> OfModel(TrainSettings settings, ClipConfig? clip, bool isVideo)
    {
        if (settings.Subclasses != 5)
            yield return new("subclasses", $"M is {settings.Subclasses}; the paper's figure has M = 5");
        if (settings.Tokens != 4)
            yield return new("tokens", $"L is {settings.Tokens}; the paper's figure has L = 4");
        int patch = isVideo ? 32 : 16;
        if (clip is not null && !(clip is { ResNetBlocks: null, VisionWidth: 768, VisionLayers: 12, ImageSize: 224 }
            && clip.PatchSize == patch))
            yield return new("", $"the image tower is a {Describe(clip)}; the paper's figure has a ViT-B/{patch} at "
                + "224 px");
    }

    private static IEnumerable<SettingRemark> OfData(string data, TrainSettings settings)
    {
        if (data == "affectnet")
            yield return new("", "as printed in the paper: 283,901 training pictures of \"seven\" expressions, eight "
                + "of which are named, and 4,000 of test; which of them made its figure is not known to us", true);
        if (data == "dfew")
            yield return new("", "as printed in the paper, DFEW has 12,059 clips; the public lists have 11,697");
        if (data == "rafdb" && settings.Select != Selection.BestOnTest)
            yield return new("select", "the authors' script takes the epoch that is best on the test split");
    }

    private static SettingRemark Unknown(string setting, string text) =>
        new(setting, $"{SettingRemark.NotKnown}: {text}", IsUnknown: true);

    private static string Describe(ClipConfig clip) => clip.ResNetBlocks is { } blocks
        ? $"ResNet {blocks} of width {clip.VisionWidth} at {clip.ImageSize} px"
        : $"ViT of {clip.VisionLayers} x {clip.VisionWidth}, patch {clip.PatchSize}, at {clip.ImageSize} px";
}
