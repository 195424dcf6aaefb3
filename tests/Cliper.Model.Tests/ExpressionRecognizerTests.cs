using Cliper.Kernels.Cpu;
using Cliper.Kernels.Memory;
using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Samples;
using Cliper.Model.SyntheticFaces;

namespace Cliper.Model.Tests;

/// <summary>The library's entry, on drawn faces and on a detector that says what it is told.</summary>
public sealed class ExpressionRecognizerTests : TemporaryFolder
{
    private const int Pictures = 7, Side = 48;

    private static readonly RgbImage[] Images = [.. new SyntheticFacesData("test", 20_251_124, Pictures, Side)
        .ToSplit().Samples.Select(sample => sample.Frames[0].Load(ImageCodec.Instance))];

    /// <summary>Two faces in every image: a small one, and all of the image.</summary>
    private sealed class TwoFaces : IFaceDetector
    {
        public IReadOnlyList<Face> Find(RgbImage image) =>
            [new(new PixelBox(0, 0, image.Width, image.Height), 0.9f, []), new(new PixelBox(4, 4, 20, 20), 0.8f, [])];
    }

    private static ExpressionRecognizer Open(RecognizerOptions? options = null) =>
        ExpressionRecognizer.Load("drawn-faces", options);

    [Test]
    public async Task Recognize_OneImageInEveryForm_GivesOneAnswer()
    {
        using ExpressionRecognizer recognizer = Open();
        byte[] encoded = ImageCodec.Instance.Encode(Images[0], ImageFormat.Png);
        string path = In("face.png");
        File.WriteAllBytes(path, encoded);

        Recognition expected = recognizer.Recognize(Images[0]);
        Recognition[] answers =
        [
            recognizer.Recognize(encoded), recognizer.Recognize(new MemoryStream(encoded)), recognizer.Recognize(path),
            recognizer.Recognize(Images)[0], await recognizer.RecognizeAsync(Images[0]),
            await recognizer.RecognizeAsync(encoded), await recognizer.RecognizeAsync(new MemoryStream(encoded)),
            await recognizer.RecognizeAsync(path),
        ];

        RecognizedFace face = expected.Faces.Single();
        Assert.That((expected.Width, expected.Height), Is.EqualTo((Side, Side)));
        Assert.That(face.Box, Is.Null, "the model of drawings looks for no face");
        Assert.That(face.Probabilities.Keys, Is.EqualTo(recognizer.Model.Classes));
        Assert.That(face.Probabilities.Values.Sum(), Is.EqualTo(1).Within(1e-5));
        Assert.That(face.Probability, Is.EqualTo(face.Probabilities[face.Expression]));
        foreach (Recognition answer in answers)
            Assert.That(answer.Faces.Single().Probabilities, Is.EqualTo(face.Probabilities).Within(1e-6));
        Assert.That(recognizer.Recognize(path).Name, Is.EqualTo(path));
    }

    [Test]
    public void Load_WithDeviceAndPrecisionByName_Computes_OrNamesWhatIsWrong()
    {
        using ExpressionRecognizer plain = Open(new() { DeviceName = "cpu", Precision = ElementType.Float32 });
        string expression = plain.Recognize(Images[0]).Faces.Single().Expression!;
        if (Bf16Support.Missing is { } missing)
            Assert.That(() => Open(new() { Precision = ElementType.BFloat16 }),
                Throws.TypeOf<DeviceException>().With.Message.Contains(missing));
        else
            using (ExpressionRecognizer rounded = Open(new() { Precision = ElementType.BFloat16 }))
                Assert.That(rounded.Recognize(Images[0]).Faces.Single().Expression, Is.EqualTo(expression));

        Assert.That(() => Open(new() { DeviceName = "gpu" }),
            Throws.ArgumentException.With.Message.Contains("DeviceName is 'gpu'; there are cpu, auto, cuda and "
                + "cuda:N"));
        Assert.That(() => Open(new() { Precision = ElementType.Float16 }),
            Throws.ArgumentException.With.Message.Contains("the CPU multiplies in fp32 or bf16, not in fp16"));
        Assert.That(() => Open(new() { DeviceName = "cuda:1", Precision = ElementType.Float32 }),
            Throws.ArgumentException.With.Message.Contains("not in fp32"));
    }

    [Test]
    public async Task RecognizeAsync_64CallersAtOnce_GetTheBitsOfOne()
    {
        using ExpressionRecognizer recognizer = Open();
        IReadOnlyDictionary<string, float>[] alone =
            [.. Images.Select(image => recognizer.Recognize(image).Faces.Single().Probabilities)];

        Recognition[] together = await Task.WhenAll(Enumerable.Range(0, 64).Select(caller =>
            recognizer.RecognizeAsync(Images[caller % Pictures])));

        for (int caller = 0; caller < together.Length; caller++)
            Assert.That(together[caller].Faces.Single().Probabilities, Is.EqualTo(alone[caller % Pictures]));
    }

    [TestCase(null, 1)]
    [TestCase(FaceSelection.None, 1)]
    [TestCase(FaceSelection.Largest, 1)]
    [TestCase(FaceSelection.All, 2)]
    public void Recognize_Faces_AreThoseThatWereAskedFor(FaceSelection? faces, int count)
    {
        using ExpressionRecognizer recognizer = Open(new() { Faces = faces, FaceDetector = new TwoFaces() });

        IReadOnlyList<RecognizedFace> found = recognizer.Recognize(Images[0]).Faces;

        Assert.That(found.Select(face => face.Id), Is.EqualTo(Enumerable.Range(0, count)));
        Assert.That(found[0].Box is null, Is.EqualTo(faces is null or FaceSelection.None));
        if (count == 2)
            Assert.That(found[1], Has.Property("Box").EqualTo(new PixelBox(4, 4, 20, 20)).And.Property("Score")
                .EqualTo(0.8f));
    }

    [Test]
    public void Recognize_BelowTheLeastProbability_IsUncertain()
    {
        using ExpressionRecognizer sure = Open(new() { MinProbability = 0 });
        using ExpressionRecognizer never = Open(new() { MinProbability = 1 });

        Assert.That(sure.Model.Classes, Does.Contain(sure.Recognize(Images[0]).Faces[0].Expression));
        Assert.That(never.Recognize(Images[0]).Faces[0].Expression, Is.EqualTo("uncertain"));
    }

    [Test]
    public void Recognize_Cancelled_Ends()
    {
        using ExpressionRecognizer recognizer = Open();
        var cancelled = new CancellationToken(canceled: true);

        Assert.That(() => recognizer.Recognize(Images, cancelled), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(async () => await recognizer.RecognizeAsync(Images[0], cancelled),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task RecognizeFilesAsync_AnUnreadableFile_IsNamedAndEndsNothing()
    {
        using ExpressionRecognizer recognizer = Open();
        Directory.CreateDirectory(In("faces"));
        for (int i = 0; i < 3; i++)
            File.WriteAllBytes(Path.Combine(In("faces"), $"{i}.png"),
                ImageCodec.Instance.Encode(Images[i], ImageFormat.Png));
        byte[] whole = File.ReadAllBytes(Path.Combine(In("faces"), "1.png"));
        File.WriteAllBytes(Path.Combine(In("faces"), "1.png"), whole[..(whole.Length / 2)]);
        File.WriteAllText(Path.Combine(In("faces"), "notes.txt"), "no image");

        Dictionary<string, Recognition> answers = [];
        await foreach (Recognition recognition in recognizer.RecognizeFilesAsync([In("faces")]))
            answers.Add(Path.GetFileName(recognition.Name), recognition);

        Assert.That(answers.Keys, Is.EquivalentTo(new[] { "0.png", "1.png", "2.png", "notes.txt" }));
        Assert.That(answers.Where(answer => answer.Value.Problem is null).Select(answer => answer.Key),
            Is.EquivalentTo(new[] { "0.png", "2.png" }));
        Assert.That(answers["2.png"].Faces.Single().Probabilities,
            Is.EqualTo(recognizer.Recognize(Images[2]).Faces.Single().Probabilities).Within(1e-6));
    }

    [Test]
    public void Load_NoSuchModel_SaysSo()
    {
        Assert.That(() => ExpressionRecognizer.Load(In("nothing")), Throws.TypeOf<InputException>().With.Message
            .Contains("nothing"));
        Assert.That(() => Open(new() { MinProbability = 2 }), Throws.TypeOf<ArgumentOutOfRangeException>());
    }

    [Test]
    public void Recognize_AfterDispose_Throws()
    {
        ExpressionRecognizer recognizer = Open();
        recognizer.Dispose();
        recognizer.Dispose();

        Assert.That(() => recognizer.Recognize(Images[0]), Throws.TypeOf<ObjectDisposedException>());
    }
}
