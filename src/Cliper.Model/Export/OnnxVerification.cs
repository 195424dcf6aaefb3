using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Images;
using Cliper.Model.Inference;
using Cliper.Model.Loading;
using Cliper.Model.Prompts;
using Cliper.Model.SyntheticFaces;
using Cliper.Model.Weights;

namespace Cliper.Model.Export;

/// <summary>
/// A written file beside the program's own answers. The file is read back, and its graph is evaluated on drawn faces by
/// the definitions of ONNX's operators, in batches of one and of several.
/// </summary>
/// <param name="Images">Faces that were answered.</param>
/// <param name="SameAnswers">Those with the class and the descriptor of the program; for the detector, with its best
/// anchor.</param>
/// <param name="LargestDifference">Largest difference of a probability, or of a score; boxes count in parts of the
/// image.</param>
/// <param name="Bound">The difference that rounding explains.</param>
public sealed record OnnxVerification(int Images, int SameAnswers, double LargestDifference, double Bound)
{
    /// <summary>Sums in another order differ by some 1e-6.</summary>
    private const double FullBound = 1e-5;

    /// <summary>The network of the detector multiplies numbers of some hundreds, which leaves 2e-6 of them.</summary>
    private const double DetectorBound = 1e-3;

    /// <summary>Weights that are rounded to 11 bits move an answer, but not to another one.</summary>
    private const double HalfBound = 0.05;

    private const int Single = 1, Several = 3;

    /// <summary>Whether the file computes what the program does.</summary>
    public bool IsSound => LargestDifference <= Bound && SameAnswers == Images;

    /// <summary>Verifies the file of a model.</summary>
    internal static OnnxVerification Of(Predictor predictor, string path, Action<double>? progress,
        CancellationToken cancellation)
    {
        var file = OnnxFile.Read(path);
        int size = predictor.Model.Clip.Config.ImageSize, same = 0;
        RgbImage[] faces = Faces(size);
        IReadOnlyList<Prediction> expected = predictor.Predict(faces);
        float[] table = Normalize.Table(predictor.Model.Clip.Config.Mean.ToArray(),
            predictor.Model.Clip.Config.Std.ToArray());
        double worst = 0;
        int at = 0;
        foreach (IReadOnlyDictionary<string, OnnxTensor> outputs in Run(file, faces, size, table, progress,
            cancellation))
        {
            OnnxTensor probabilities = outputs[OnnxHead.Probabilities];
            for (int i = 0; i < probabilities.Shape[0]; i++, at++)
            {
                float[] row = probabilities.Floats[(i * probabilities.Width)..((i + 1) * probabilities.Width)];
                for (int k = 0; k < row.Length; k++)
                    worst = Larger(worst, row[k] - expected[at].Probabilities[k]);
                same += Array.IndexOf(row, row.Max()) == expected[at].Class
                    && outputs[OnnxHead.Descriptor].Integers[i] == expected[at].Subclass ? 1 : 0;
            }
        }
        return new OnnxVerification(faces.Length, same, worst, file.HasHalf ? HalfBound : FullBound);
    }

    /// <summary>Verifies the file of the detector.</summary>
    internal static OnnxVerification OfDetector(string path, Action<double>? progress, CancellationToken cancellation)
    {
        const int Side = BlazeFaceNetwork.Side;
        var file = OnnxFile.Read(path);
        RgbImage[] faces = Faces(Side);
        float[] middle = OnnxDetector.Middle.ToArray();
        using var weights = new SafeTensors(ShippedModels.FaceDetector);
        using var network = new BlazeFaceNetwork(weights);
        double worst = 0;
        int at = 0, same = 0;
        foreach (IReadOnlyDictionary<string, OnnxTensor> outputs in Run(file, faces, Side,
            Normalize.Table(middle, middle), progress, cancellation))
        {
            OnnxTensor scores = outputs[OnnxDetector.Scores], boxes = outputs[OnnxDetector.Boxes],
                points = outputs[OnnxDetector.Points];
            for (int i = 0; i < scores.Shape[0]; i++, at++)
            {
                FaceCandidate[] expected = Candidates(network, faces[at]);
                for (int anchor = 0; anchor < expected.Length; anchor++)
                {
                    int row = i * expected.Length + anchor;
                    FaceCandidate face = expected[anchor];
                    float[] found = [.. boxes.Floats.AsSpan(4 * row, 4), .. points.Floats.AsSpan(12 * row, 12)],
                        own = [face.Left, face.Top, face.Width, face.Height,
                            .. face.Points.SelectMany(point => new[] { point.X, point.Y })];
                    worst = Larger(worst, scores.Floats[row] - face.Score);
                    for (int j = 0; j < own.Length; j++)
                        worst = Larger(worst, (found[j] - own[j]) / Side);
                }
                float[] all = scores.Floats[(i * expected.Length)..((i + 1) * expected.Length)];
                same += Array.IndexOf(all, all.Max()) == Array.FindIndex(expected, face =>
                    face.Score == expected.Max(other => other.Score)) ? 1 : 0;
            }
        }
        return new OnnxVerification(faces.Length, same, worst, file.HasHalf ? HalfBound : DetectorBound);
    }

    /// <summary>Everything that the program's network says of an image, an entry an anchor.</summary>
    private static FaceCandidate[] Candidates(BlazeFaceNetwork network, RgbImage image)
    {
        Letterbox.Fill(image, new PixelBox(0, 0, image.Width, image.Height), BlazeFaceNetwork.Side, network.Input);
        network.Run();
        var found = new List<FaceCandidate>();
        int head = 0;
        foreach (int cells in network.HeadCells)
        {
            FaceAnchors.Decode(network.Scores(head), network.Boxes(head), cells, least: 0, found);
            head++;
        }
        return [.. found];
    }

    private static IEnumerable<IReadOnlyDictionary<string, OnnxTensor>> Run(OnnxFile file, RgbImage[] faces, int size,
        float[] table, Action<double>? progress, CancellationToken cancellation)
    {
        int done = 0;
        foreach (RgbImage[] batch in new[] { faces[..Single], faces[Single..] })
        {
            long[] bytes = [.. batch.SelectMany(face => Square(face, size)).Select(value => (long)value)];
            OnnxTensor input = file.Input.Type == OnnxType.UInt8 ? OnnxTensor.Of(bytes, batch.Length, size, size, 3)
                : OnnxTensor.Of([.. batch.SelectMany(face => Normalized(face, size, table))], batch.Length, 3, size,
                    size);
            int before = done;
            yield return new OnnxEvaluator(file).Run(input, part =>
                progress?.Invoke((before + part * batch.Length) / faces.Length), cancellation);
            done += batch.Length;
        }
    }

    private static RgbImage[] Faces(int size)
    {
        var faces = new SyntheticFacesData("verify", seed: 1, Single + Several, Math.Max(size,
            FaceRenderer.SmallestSize));
        return [.. Enumerable.Range(0, faces.Count).Select(faces.Render)];
    }

    /// <summary>[size, size, 3].</summary>
    private static byte[] Square(RgbImage face, int size)
    {
        if (face.Width == size)
            return face.Pixels;
        StoredImage stored = PixelCache.Store(face, size, fromOriginal: false);
        var square = new byte[size * size * 3];
        stored.ResizeTo(Resizing.ToSquare(stored.Width, stored.Height, size), square);
        return square;
    }

    private static float[] Normalized(RgbImage face, int size, float[] table)
    {
        var pixels = new float[3 * size * size];
        Normalize.Picture(Square(face, size), 3, table, pixels);
        return pixels;
    }

    // A difference that is no number is the largest.
    private static double Larger(double worst, double difference) =>
        Math.Abs(difference) <= worst ? worst : double.IsNaN(difference) ? double.PositiveInfinity
            : Math.Abs(difference);
}
