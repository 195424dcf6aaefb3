using Cliper.Kernels.Operations;
using Cliper.Model.Export;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Export;

/// <summary>The exported face detector in ONNX Runtime, beside TensorFlow's numbers and the program's own.</summary>
public sealed class OnnxDetectorTests : TemporaryFolder
{
    private const int Side = BlazeFaceNetwork.Side, Anchors = 896;

    // TensorFlow's scores reach 621 before the sigmoid, whose slope is at most 1/4; boxes are some 100 pixels. Fp32 in
    // another order leaves 2e-6 of the largest, as BlazeFaceTests has it.
    private const double ScoreBound = 2e-6 * 621 / 4, PixelBound = 1e-3;

    [Test]
    [Category("Golden")]
    public void GoldenBoxes_AreThoseOfTensorFlow()
    {
        using var golden = new SafeTensors(Path.Combine(SharedFiles.Root, "tests", "golden", "blazeface.safetensors"));
        OnnxExport.WriteDetector(In("face.onnx"), new OnnxOptions { FloatInput = true });
        var expected = new List<FaceCandidate>();
        FaceAnchors.Decode(golden.ReadFloats("output.Identity"), golden.ReadFloats("output.Identity_2"), 16, 0,
            expected);
        FaceAnchors.Decode(golden.ReadFloats("output.Identity_1"), golden.ReadFloats("output.Identity_3"), 8, 0,
            expected);
        float[] input = golden.ReadFloats("input"), planes = new float[input.Length];
        for (int i = 0; i < input.Length; i++)
            planes[i % 3 * Side * Side + i / 3] = input[i];

        using var ort = new OrtModel(In("face.onnx"));

        Assert.That(ort.Input, Is.EqualTo("pixels Single [-1, 3, 256, 256]"));
        AssertSame(ort.Run(planes, 1, 3, Side, Side).Floats, 0, expected);
    }

    [Test]
    public void DrawnFaces_HaveTheProgramsBoxes([Values(OnnxOptions.LeastOpset, OnnxOptions.LatestOpset)] int opset)
    {
        const int Count = 20;
        var faces = new SyntheticFacesData("onnx", seed: 5, Count, Side);
        RgbImage[] images = [.. Enumerable.Range(0, Count).Select(faces.Render)];
        OnnxSummary summary = OnnxExport.WriteDetector(In("face.onnx"), new OnnxOptions { Opset = opset });

        using var ort = new OrtModel(In("face.onnx"));
        Dictionary<string, float[]> found = ort.Run(images.SelectMany(image => image.Pixels).ToArray(), Count, Side,
            Side, 3).Floats;

        Assert.That(ort.Input, Is.EqualTo("pixels Byte [-1, 256, 256, 3]"));
        Assert.That(ort.Outputs, Is.EqualTo(new[] { "scores Single [-1, 896]", "boxes Single [-1, 896, 4]",
            "points Single [-1, 896, 6, 2]" }));
        Assert.That(ort.Metadata["notes"], Does.Contain("The MediaPipe Authors").And.Contain("Apache"));
        Assert.That(summary.Bytes, Is.EqualTo(new FileInfo(In("face.onnx")).Length));
        using var weights = new SafeTensors(ShippedModels.FaceDetector);
        using var network = new BlazeFaceNetwork(weights);
        for (int i = 0; i < Count; i++)
        {
            Letterbox.Fill(images[i], new PixelBox(0, 0, Side, Side), Side, network.Input);
            network.Run();
            var expected = new List<FaceCandidate>();
            FaceAnchors.Decode(network.Scores(0), network.Boxes(0), 16, 0, expected);
            FaceAnchors.Decode(network.Scores(1), network.Boxes(1), 8, 0, expected);
            AssertSame(found, i, expected);
        }
    }

    [Test]
    public void Verification_FindsTheProgramsBoxes([Values] bool half, [Values] bool floatInput)
    {
        OnnxExport.WriteDetector(In("face.onnx"), new OnnxOptions { Half = half, FloatInput = floatInput });

        OnnxVerification found = OnnxExport.VerifyDetector(In("face.onnx"));

        TestContext.Out.WriteLine(found);
        Assert.That(found.IsSound);
    }

    private static void AssertSame(Dictionary<string, float[]> found, int image, List<FaceCandidate> expected)
    {
        Assert.That(expected, Has.Count.EqualTo(Anchors));
        double score = 0, pixels = 0;
        for (int anchor = 0; anchor < Anchors; anchor++)
        {
            int row = image * Anchors + anchor;
            FaceCandidate face = expected[anchor];
            score = Math.Max(score, Math.Abs(found["scores"][row] - face.Score));
            float[] own = [face.Left, face.Top, face.Width, face.Height,
                .. face.Points.SelectMany(point => new[] { point.X, point.Y })],
                other = [.. found["boxes"].AsSpan(4 * row, 4), .. found["points"].AsSpan(12 * row, 12)];
            for (int i = 0; i < own.Length; i++)
                pixels = Math.Max(pixels, Math.Abs(own[i] - other[i]));
        }
        TestContext.Out.WriteLine($"scores within {score:E1}, boxes within {pixels:E1} pixels");
        Assert.That(score, Is.LessThanOrEqualTo(ScoreBound));
        Assert.That(pixels, Is.LessThanOrEqualTo(PixelBound));
    }
}
