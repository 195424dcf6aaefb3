using System.Formats.Tar;
using System.IO.Compression;
using Cliper.Kernels.Cpu;
using Cliper.Model.Faces;
using Cliper.Model.Inference;
using Cliper.Model.Metrics;
using Cliper.Model.Samples;
using Cliper.Model.Tests.Data.Faces;

namespace Cliper.Model.Tests;

/// <summary>The model of photographs, on pictures that it has not learned from.</summary>
public sealed class PhotographsModelTests
{
    /// <summary>
    /// Instruction sets add in other orders, and an answer that is nearly a tie may change.
    /// With AVX2 instead of AVX-512 none did: two of 3,589 may, and for UAR one of disgust's 56.
    /// </summary>
    private const double OtherWar = 2.0 / 3589, OtherUar = 1.0 / 56 / 7;

    private const double War = 0.6046, Uar = 0.5461;
    private const int London = 158;
    private const long LargestFile = 12_000_000;

    private CpuDevice _device = null!;
    private Predictor _predictor = null!;

    [OneTimeSetUp]
    public void Load()
    {
        _device = new CpuDevice();
        _predictor = Predictor.Load(ShippedModels.Photographs.Path, _device);
    }

    [OneTimeTearDown]
    public void End()
    {
        _predictor.Dispose();
        _device.Dispose();
    }

    [Test]
    public void ItsFile_IsSmallAndStatesWhatAnswersNeed()
    {
        Assert.That(new FileInfo(ShippedModels.Photographs.Path).Length, Is.LessThanOrEqualTo(LargestFile));
        Assert.That(_predictor.Info.Terms, Does.Contain("FER2013").And.Contain("research"));
        Assert.That(_predictor.Info.FaceTemplate?.Look, Is.Not.Null);
        Assert.That(_predictor.Classes, Is.EqualTo(
            new[] { "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise" }));
        Assert.That(ShippedModels.Default, Is.SameAs(ShippedModels.Photographs));
    }

    // The figures of models/README.md.
    [Test]
    public void Fer2013Validation_HasTheFiguresOfTheModelCard()
    {
        DataSplit split = Fer2013("validation");

        Evaluation evaluation = _predictor.Evaluate(split, strict: true, default).Evaluation;

        TestContext.Out.WriteLine($"WAR {evaluation.Confusion.War:F4}, UAR {evaluation.Confusion.Uar:F4}, calibration "
            + $"error {evaluation.CalibrationError:F4}");
        Assert.That(evaluation.Confusion.War, Is.EqualTo(War).Within(OtherWar));
        Assert.That(evaluation.Confusion.Uar, Is.EqualTo(Uar).Within(OtherUar));
        Assert.That(evaluation.CalibrationError, Is.LessThanOrEqualTo(0.05));
    }

    [Test]
    public void LondonFaces_NeverTrainedOn_AreNamedThroughTheDetector()
    {
        using var detector = new BlazeFace();
        FaceCrop crop = FaceCrop.Sought(detector, new FaceFraming(_predictor.Info.FaceTemplate), onlyLargest: true);
        Sample[] pictures = [.. LondonFaces.All().Select(picture => new Sample(picture.Name, 0,
            [new GeneratedFrame(picture.Name, () => picture.Image)]))];

        int right = _predictor.Predict(pictures, crop, strict: true, (_, _) => { }, default).Count(answer =>
            _predictor.Classes[answer.Predictions.Single().Class]
                == (answer.File.StartsWith("happy", StringComparison.Ordinal) ? "happiness" : "neutral"));

        TestContext.Out.WriteLine($"{right} of {pictures.Length}");
        Assert.That(right, Is.EqualTo(London).Within(1));
    }

    /// <summary>A split of FER2013's archive; ends the test as ignored where it is not there.</summary>
    private DataSplit Fer2013(string name)
    {
        Dictionary<string, string> folders = new()
        {
            ["anger"] = "angry",
            ["disgust"] = "disgust",
            ["fear"] = "fear",
            ["happiness"] = "happy",
            ["neutral"] = "neutral",
            ["sadness"] = "sad",
            ["surprise"] = "surprise",
        };
        using var reader = new TarReader(new GZipStream(File.OpenRead(SharedFiles.OrIgnore("data/fer2013.tar.gz")),
            CompressionMode.Decompress));
        var samples = new List<Sample>();
        while (reader.GetNextEntry() is { } entry)
        {
            string[] parts = entry.Name.Split('/');
            if (entry.DataStream is not { } stream || parts is not [.., var split, var folder, _] || split != name)
                continue;
            var bytes = new byte[stream.Length];
            stream.ReadExactly(bytes);
            samples.Add(new Sample(entry.Name, _predictor.Classes.ToList().FindIndex(known => folders[known] == folder),
                [new EncodedFrame(entry.Name, bytes)]));
        }
        return new DataSplit(name, _predictor.Classes, [.. samples.OrderBy(sample => sample.Name,
            StringComparer.Ordinal)]);
    }
}
