using Cliper.Model.Settings;

namespace Cliper.Model.Tests.Training;

public sealed class SettingsJsonTests
{
    public enum Kind
    {
        Plain,
        WithRestarts,
    }

    public sealed record Inner
    {
        public int Epochs { get; init; } = 2;

        public float LearningRate { get; init; } = 0.5f;

        public Kind Schedule { get; init; }
    }

    public sealed record Outer
    {
        public string Name { get; init; } = "x";

        public bool Strict { get; init; }

        public ulong Seed { get; init; } = ulong.MaxValue;

        public IReadOnlyList<string> Captions { get; init; } = ["a {}", "b {}"];

        public Inner Stage1 { get; init; } = new();
    }

    [Test]
    public void Read_NameOfVersion01_IsThePresentSetting()
    {
        TrainSettings fromFile = SettingsJson.Parse("""{ "stage2": { "clipNorm": 3 } }""", "test", new TrainSettings());
        TrainSettings fromOption = SettingsJson.With(new TrainSettings(), [("stage2.clipNorm", "3")]);

        Assert.That((fromFile.Stage2.MaxGradientNorm, fromOption.Stage2.MaxGradientNorm), Is.EqualTo((3, 3)));
        Assert.That(SettingsJson.Write(fromFile), Does.Contain("\"maxGradientNorm\": 3").And.Not.Contain("clipNorm"));
    }

    [Test]
    public void WhatIsWrittenIsReadBack()
    {
        var settings = new Outer
        {
            Name = "ü \"q\"",
            Stage1 = new Inner
            {
                LearningRate = 1e-7f,
                Schedule = Kind.WithRestarts
            }
        };

        string text = SettingsJson.Write(settings);

        Assert.That(text, Does.Contain("\"schedule\": \"withRestarts\""));
        Assert.That(SettingsJson.Write(SettingsJson.Parse(text, "test", new Outer())), Is.EqualTo(text));
    }

    [Test]
    public void APartGoesOverTheDefaults()
    {
        Outer settings = SettingsJson.Parse("""{ "stage1": { "epochs": 7 }, /* why */ "strict": true, }""", "test",
            new Outer { Name = "recipe" });

        Assert.That(settings.Name, Is.EqualTo("recipe"));
        Assert.That(settings.Strict, Is.True);
        Assert.That(settings.Stage1, Is.EqualTo(new Inner { Epochs = 7 }));
    }

    [Test]
    public void SingleValuesGoOverAll()
    {
        Outer settings = SettingsJson.With(new Outer(),
            [("stage1.epochs", "3"), ("stage1.schedule", "withRestarts"), ("name", "12"), ("captions", """["c {}"]"""),
            ("stage1.epochs", "4")]);

        Assert.That(settings.Stage1, Is.EqualTo(new Inner { Epochs = 4, Schedule = Kind.WithRestarts }));
        Assert.That(settings.Name, Is.EqualTo("12"));
        Assert.That(settings.Captions, Is.EqualTo(new[] { "c {}" }));
    }

    [TestCase("""{ "stage1": { "epoch": 7 } }""", "test: unknown setting 'stage1.epoch'; did you mean 'epochs'?")]
    [TestCase("""{ "zzz": 7 }""", "test: unknown setting 'zzz'")]
    [TestCase("""{ "stage1": { "epochs": "many" } }""",
        "test: stage1.epochs cannot be \"many\"; expected a whole number")]
    [TestCase("""{ "stage1": { "epochs": 2.5 } }""", "test: stage1.epochs cannot be 2.5; expected a whole number")]
    [TestCase("""{ "stage1": { "schedule": "cosine" } }""",
        "test: stage1.schedule cannot be \"cosine\"; expected plain, withRestarts")]
    [TestCase("""{ "stage1": 5 }""", "test: stage1 cannot be 5; expected an object")]
    [TestCase("""{ "stage1": null }""", "test: stage1 cannot be null; expected an object")]
    [TestCase("""{ "strict": 1 }""", "test: strict cannot be 1; expected true or false")]
    [TestCase("""{ "seed": -1 }""", "test: seed cannot be -1; expected a whole number")]
    [TestCase("""[1]""", "test: expected a JSON object of settings")]
    public void AWrongFileIsNamed(string text, string message) =>
        Assert.That(() => SettingsJson.Parse(text, "test", new Outer()),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));

    [TestCase("{")]
    [TestCase("")]
    [TestCase("""{ "strict": true, "strict": false }""")]
    public void WhatIsNoJsonIsNamed(string text) =>
        Assert.That(() => SettingsJson.Parse(text, "test", new Outer()),
            Throws.TypeOf<SettingsException>().With.Message.StartsWith("test: not JSON: "));

    [TestCase("stage1.epoch", "3", "unknown setting 'stage1.epoch'; did you mean 'stage1.epochs'?")]
    [TestCase("name.first", "3", "unknown setting 'name.first': name is a single value")]
    [TestCase("stage1.epochs", "many", "stage1.epochs cannot be \"many\"; expected a whole number")]
    public void AWrongValueIsNamed(string path, string value, string message) =>
        Assert.That(() => SettingsJson.With(new Outer(), [(path, value)]),
            Throws.TypeOf<SettingsException>().With.Message.EqualTo(message));

    [Test]
    public void AMissingFileIsNamed() =>
        Assert.That(() => SettingsJson.Read("nowhere/config.json", new Outer()),
            Throws.TypeOf<SettingsException>().With.Message.StartsWith(
            "cannot read the settings file nowhere/config.json"));
}
