using Cliper.Model.Clip;
using Cliper.Model.Runs;
using Cliper.Model.Samples;
using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Training;

/// <summary>The published recipes say what they are, and what of the paper is not known.</summary>
public sealed class ProtocolTests
{
    private static readonly ClipConfig PaperClip = new()
    {
        ImageSize = 224,
        PatchSize = 16,
        VisionWidth = 768,
        VisionLayers = 12,
        VisionHeads = 12,
        TextWidth = 512,
        TextLayers = 12,
        TextHeads = 8,
        VocabularySize = 49_408,
        ContextLength = 77,
        EmbedSize = 512,
    };

    [Test]
    public void Get_RafDb_IsTheScriptOrThePaperAndNoMixture()
    {
        TrainSettings script = Recipes.Get("rafdb"), paper = Recipes.Get("rafdb", "paper");

        Assert.That(Recipes.Get("rafdb", "script"), Is.EqualTo(script));
        Assert.That((script.Stage2.Epochs, script.Stage2.Schedule, script.Stage2.Augmentation, script.DropLast),
            Is.EqualTo((57, ScheduleKind.CosineRestarts, "script", false)));
        Assert.That((paper.Stage2.Epochs, paper.Stage2.Schedule, paper.Stage2.Augmentation, paper.Temperature),
            Is.EqualTo((50, ScheduleKind.Cosine, "paper", 0.01f)));
        Assert.That(paper.Protocol, Is.EqualTo("paper"));
    }

    [Test]
    public void Get_PublishedRecipe_KeepsTheProtocolsSamples([Values("rafdb", "affectnet7", "affectnet8", "dfew",
        "ferv39k", "afew")] string recipe)
    {
        TrainSettings settings = Recipes.Get(recipe);

        Assert.That(settings.DropDuplicates, Is.False);
        Assert.That(settings.Choices.MinFrames, Is.Zero);
        if (settings.Frames > 1)
        {
            Assert.That(settings.ShortClips, Is.EqualTo(ShortClips.RepeatFirst), "as IAL and Former-DFER");
            Assert.That(Recipes.Get(recipe, "ial").Choices.MinFrames, Is.EqualTo(16));
        }
    }

    [Test]
    public void Get_ProtocolThatTheRecipeLacks_IsNamed() =>
        Assert.That(() => Recipes.Get("dfew", "paper"), Throws.TypeOf<SettingsException>().With.Message.EqualTo(
            "the recipe dfew has no protocol 'paper'; it has ial"));

    [Test]
    public void Of_GuessedValues_AreNotKnownUntilTheyAreSet()
    {
        TrainSettings dfew = Recipes.Get("dfew");
        string[] unknown = UnknownOf(dfew), set = UnknownOf(SettingsJson.With(dfew,
            [("stage1.learningRate", "0.003"), ("stage2.learningRate", "2e-6")]));

        Assert.That(unknown, Is.SupersetOf(new[] { "stage1.learningRate", "stage2.learningRate", "emptySubclasses",
            "stage1.augmentation", "stage2.augmentation" }));
        Assert.That(set, Is.EqualTo(unknown.Except(["stage1.learningRate", "stage2.learningRate"])));
        Assert.That(UnknownOf(Recipes.Get("rafdb")), Is.EqualTo(new[] { "emptySubclasses" }),
            "the script has the others");
        Assert.That(UnknownOf(Recipes.Get("affectnet7")), Does.Contain("stage2.learningRate"));
        Assert.That(ProtocolRemarks.Of(Recipes.Get("fer2013")), Is.Empty, "the paper has no FER2013");
    }

    [Test]
    public void Of_OtherModel_IsToldBesideThePapersFigure()
    {
        TrainSettings raf = Recipes.Get("rafdb");

        Assert.That(TextsOf(raf, PaperClip), Has.None.Contains("ViT-B/").And.None.Contains("M is"));
        Assert.That(TextsOf(raf with { Subclasses = 10, Tokens = 8 }, PaperClip with { PatchSize = 32 }),
            Has.Some.Contains("M is 10; the paper's figure has M = 5").And.Some.Contains("L is 8")
            .And.Some.Contains("ViT-B/16"));
        Assert.That(TextsOf(Recipes.Get("dfew"), PaperClip), Has.Some.Contains("ViT-B/32"));
        Assert.That(TextsOf(Recipes.Get("dfew"), PaperClip with { PatchSize = 32 }), Has.None.Contains("ViT-B/"));
    }

    [Test]
    public void Plan_TwoSettingsAndSeeds_HasEveryCombinationInAFolderOfItsOwn()
    {
        TrainSettings settings = Recipes.Get("rafdb") with { Weights = "w" };
        var plan = new SweepPlan(settings, SweepPlan.Preset("metd").Settings, [1, 2]);

        Assert.That(plan.Cells.Select(cell => cell.Name).Take(3),
            Is.EqualTo(new[] { "M1-L4-seed1", "M1-L4-seed2", "M5-L4-seed1" }));
        Assert.That(plan.Cells.Select(cell => (cell.Settings.Tokens, cell.Settings.Subclasses, cell.Settings.Seed))
            .Distinct().Count(), Is.EqualTo(12));
        Assert.That(() => new SweepPlan(settings, [new("stage2.epoch", ["1", "2"])], []),
            Throws.TypeOf<SettingsException>().With.Message.Contains("did you mean 'stage2.epochs'?"));
        Assert.That(() => new SweepPlan(settings, [new("tokens", ["4", "900"])], []),
            Throws.TypeOf<SettingsException>().With.Message.Contains("Tokens is 900"), "before the first run");
        Assert.That(() => new SweepPlan(settings, [new("tokens", ["4", "4"])], []),
            Throws.TypeOf<SettingsException>().With.Message.Contains("share the folder L4"));
    }

    private static string[] UnknownOf(TrainSettings settings) =>
        [.. ProtocolRemarks.Of(settings).Where(remark => remark.IsUnknown && remark.Setting.Length > 0)
            .Select(remark => remark.Setting)];

    private static string[] TextsOf(TrainSettings settings, ClipConfig clip) =>
        [.. ProtocolRemarks.Of(settings, clip: clip).Select(remark => remark.Text)];
}
