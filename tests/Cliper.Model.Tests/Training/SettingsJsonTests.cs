using System.Reflection;
using System.Text.Json;
using Cliper.Model.Clip;
using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Training;

public sealed class SettingsJsonTests
{
    [Test]
    public void Read_NameOfVersion01_IsThePresentSetting()
    {
        TrainSettings fromFile = SettingsJson.Parse("""{ "stage2": { "clipNorm": 3 } }""", "test", new TrainSettings());
        TrainSettings fromOption = SettingsJson.With(new TrainSettings(), [("stage2.clipNorm", "3")]);

        Assert.That((fromFile.Stage2.MaxGradientNorm, fromOption.Stage2.MaxGradientNorm), Is.EqualTo((3, 3)));
        Assert.That(SettingsJson.Write(fromFile), Does.Contain("\"maxGradientNorm\": 3").And.Not.Contain("clipNorm"));
    }

    [Test]
    public void AResNetIsChosenByItsShape()
    {
        TrainSettings settings = SettingsJson.With(new TrainSettings(),
            [("shape.tower", "resnet"), ("shape.visionWidth", "64"), ("shape.imageSize", "224"),
            ("shape.resNetBlocks", "[3,4,6,3]")]);
        ClipConfig config = settings.Shape.ToConfig(100);

        Assert.That(config.ResNetBlocks, Is.EqualTo(new StageBlocks(3, 4, 6, 3)));
        Assert.That((config.PatchSize, config.VisionLayers, config.VisionHeads), Is.EqualTo((0, 0, 32)));
        Assert.That(config.Faults(), Is.Empty);
        string text = SettingsJson.Write(settings);
        Assert.That(text, Does.Contain("\"tower\": \"resNet\""));
        Assert.That(SettingsJson.Parse(text, "test", new TrainSettings()).Shape, Is.EqualTo(settings.Shape));
        Assert.That(SettingsJson.Parse("""{ "shape": { "patchSize": 6 } }""", "test", new TrainSettings()).Shape.Tower,
            Is.EqualTo(TowerKind.Vit), "settings of earlier versions name no tower");
    }

    [TestCase("shape.tower", "vgg", "shape.tower cannot be \"vgg\"; expected vit, resNet")]
    [TestCase("shape.resNetBlocks", "[3,4,6]",
        "shape.resNetBlocks cannot be [3,4,6]; expected four whole numbers such as [3,4,6,3]")]
    [TestCase("shape.resNetBlocks", "[3,4,6,3,1]",
        "shape.resNetBlocks cannot be [3,4,6,3,1]; expected four whole numbers such as [3,4,6,3]")]
    [TestCase("shape.resNetBlocks", "8",
        "shape.resNetBlocks cannot be 8; expected four whole numbers such as [3,4,6,3]")]
    public void AWrongTowerIsNamed(string path, string value, string message) =>
        Assert.That(() => SettingsJson.With(new TrainSettings(), [(path, value)]),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));

    [TestCase("shape.imageSize", "48", "shape: ImageSize 48 is not a multiple of 32, by which a ResNet divides it")]
    [TestCase("shape.visionWidth", "7", "shape: VisionWidth 7 is odd, and a ResNet's stem begins with half of it")]
    [TestCase("shape.resNetBlocks", "[1,0,1,1]", "shape: stage 2 of the ResNet has 0 blocks, expected 1 to 1000")]
    public void AnImpossibleTowerIsNamed(string path, string value, string message)
    {
        TrainSettings settings = SettingsJson.With(Recipes.Get("fer2013"),
            [("shape.tower", "resNet"), ("shape.imageSize", "64"), (path, value)]);
        Assert.That(settings.Check, Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));
    }

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        var settings = new TrainSettings
        {
            Template = "ü \"q\"",
            Seed = ulong.MaxValue,
            Stage1 = new StageSettings
            {
                LearningRate = 1e-7f,
                Schedule = ScheduleKind.CosineRestarts
            }
        };

        string text = SettingsJson.Write(settings);

        Assert.That(text, Does.Contain("\"schedule\": \"cosineRestarts\""));
        Assert.That(SettingsJson.Write(SettingsJson.Parse(text, "test", new TrainSettings())), Is.EqualTo(text));
    }

    [Test]
    public void Write_EveryEnumeration_IsWrittenByItsName()
    {
        using var json = JsonDocument.Parse(SettingsJson.Write(new TrainSettings()));
        var unnamed = new List<string>();
        Check(typeof(TrainSettings), json.RootElement, "");
        Assert.That(unnamed, Is.Empty, "to be named in SettingsContext");

        void Check(Type type, JsonElement element, string prefix)
        {
            foreach (PropertyInfo property in type.GetProperties())
            {
                string name = JsonNamingPolicy.CamelCase.ConvertName(property.Name);
                if (!element.TryGetProperty(name, out JsonElement value))
                    continue;
                Type kind = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
                if (kind.IsEnum && value.ValueKind is not (JsonValueKind.String or JsonValueKind.Null))
                    unnamed.Add(prefix + name);
                if (value.ValueKind == JsonValueKind.Object)
                    Check(kind, value, $"{prefix}{name}.");
            }
        }
    }

    [Test]
    public void APartGoesOverTheDefaults()
    {
        TrainSettings settings = SettingsJson.Parse("""{ "stage1": { "epochs": 7 }, /* why */ "strict": true, }""",
            "test", new TrainSettings { Template = "recipe" });

        Assert.That(settings.Template, Is.EqualTo("recipe"));
        Assert.That(settings.Strict, Is.True);
        Assert.That(settings.Stage1, Is.EqualTo(new StageSettings { Epochs = 7 }));
    }

    [Test]
    public void SingleValuesGoOverAll()
    {
        TrainSettings settings = SettingsJson.With(new TrainSettings(),
            [("stage1.epochs", "3"), ("stage1.schedule", "cosineRestarts"), ("template", "12"),
            ("captionTemplates", """["c {}"]"""), ("stage1.epochs", "4")]);

        Assert.That(settings.Stage1,
            Is.EqualTo(new StageSettings { Epochs = 4, Schedule = ScheduleKind.CosineRestarts }));
        Assert.That(settings.Template, Is.EqualTo("12"));
        Assert.That(settings.CaptionTemplates, Is.EqualTo(new[] { "c {}" }));
    }

    [TestCase("""{ "stage1": { "epoch": 7 } }""", "test: unknown setting 'stage1.epoch'; did you mean 'epochs'?")]
    [TestCase("""{ "zzz": 7 }""", "test: unknown setting 'zzz'")]
    [TestCase("""{ "stage1": { "epochs": "many" } }""",
        "test: stage1.epochs cannot be \"many\"; expected a whole number")]
    [TestCase("""{ "stage1": { "epochs": 2.5 } }""", "test: stage1.epochs cannot be 2.5; expected a whole number")]
    [TestCase("""{ "stage1": { "schedule": "sine" } }""",
        "test: stage1.schedule cannot be \"sine\"; expected constant, cosine, cosineRestarts, lateCosine")]
    [TestCase("""{ "stage1": 5 }""", "test: stage1 cannot be 5; expected an object")]
    [TestCase("""{ "stage1": null }""", "test: stage1 cannot be null; expected an object")]
    [TestCase("""{ "strict": 1 }""", "test: strict cannot be 1; expected true or false")]
    [TestCase("""{ "seed": -1 }""", "test: seed cannot be -1; expected a whole number")]
    [TestCase("""[1]""", "test: expected a JSON object of settings")]
    public void AWrongFileIsNamed(string text, string message) =>
        Assert.That(() => SettingsJson.Parse(text, "test", new TrainSettings()),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));

    [TestCase("{")]
    [TestCase("")]
    [TestCase("""{ "strict": true, "strict": false }""")]
    public void WhatIsNoJsonIsNamed(string text) =>
        Assert.That(() => SettingsJson.Parse(text, "test", new TrainSettings()),
            Throws.TypeOf<SettingsException>().With.Message.StartsWith("test: not JSON: "));

    [TestCase("stage1.epoch", "3", "unknown setting 'stage1.epoch'; did you mean 'stage1.epochs'?")]
    [TestCase("template.first", "3", "unknown setting 'template.first': template is a single value")]
    [TestCase("stage1.epochs", "many", "stage1.epochs cannot be \"many\"; expected a whole number")]
    public void AWrongValueIsNamed(string path, string value, string message) =>
        Assert.That(() => SettingsJson.With(new TrainSettings(), [(path, value)]),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));

    [Test]
    public void AMissingFileIsNamed() =>
        Assert.That(() => SettingsJson.Read("nowhere/config.json", new TrainSettings()),
            Throws.TypeOf<SettingsException>().With.Message.StartsWith(
            "cannot read the settings file nowhere/config.json"));
}
