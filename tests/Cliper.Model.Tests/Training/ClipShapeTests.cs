using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Training;

/// <summary>Sizes of a CLIP that is made from nothing: what cannot be is refused before anything is made.</summary>
public sealed class ClipShapeTests
{
    [TestCase("patchSize", "0", "shape.patchSize is 0; it must lie within 1 and 48")]
    [TestCase("patchSize", "-8", "shape.patchSize is -8")]
    [TestCase("patchSize", "7", "ImageSize 48 is not a multiple of PatchSize 7")]
    [TestCase("imageSize", "0", "shape.imageSize is 0")]
    [TestCase("embedSize", "0", "shape.embedSize is 0; it must lie within 1 and 4096")]
    [TestCase("textWidth", "63", "shape.textWidth is 63; it must lie within 64 and 4096")]
    [TestCase("visionWidth", "6400000", "shape.visionWidth is 6400000; it must lie within 64 and 4096")]
    [TestCase("visionLayers", "2000000000", "shape.visionLayers is 2000000000; it must lie within 1 and 100")]
    [TestCase("textLayers", "0", "shape.textLayers is 0")]
    [TestCase("contextLength", "100000", "shape.contextLength is 100000")]
    [TestCase("vocabularySize", "-1", "shape.vocabularySize is -1")]
    public void ASizeOutOfRange_IsNamedWithItsRange(string name, string value, string says)
    {
        TrainSettings settings = SettingsJson.With(Recipes.Get("demo-clip"),
            [("shape.imageSize", "48"), ("shape.patchSize", "8"), ($"shape.{name}", value)]);
        Assert.That(settings.Check, Throws.TypeOf<SettingsException>().With.Message.Contains(says));
    }

    [Test]
    public void SizesThatAreTooManyParametersTogether_AreRefused()
    {
        // 100 blocks of 12 x 4096² parameters.
        var shape = new ClipShape { VisionWidth = 4096, VisionLayers = 100 };
        Assert.That(shape.Check, Throws.TypeOf<SettingsException>().With.Message.Contains("parameters, at most "
            + "1,000,000,000"));
    }

    [Test]
    public void ARecipesShape_IsInRange() =>
        Assert.That(() => Recipes.Names.ToList().ForEach(name => Recipes.Get(name).Shape.Check()), Throws.Nothing);
}
