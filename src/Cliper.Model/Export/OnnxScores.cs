using Cliper.Autograd;
using Cliper.Model.Prompts;

namespace Cliper.Model.Export;

/// <summary>
/// The rule by which a model scores a feature f, as far as a graph can have it: W f + b, where f may be normalized
/// first. Cosines with descriptors are such a rule (W the features over tau, b = 0), and so is a linear head. It is
/// read off from the model's own scores of zero and of the unit vectors, whatever its prompt learner.
/// </summary>
/// <param name="Weight">W, [K * M, D].</param>
/// <param name="Bias">b, [K * M].</param>
/// <param name="IsNormalized">Whether f is divided by its length first.</param>
internal sealed record OnnxScores(float[] Weight, float[] Bias, bool IsNormalized)
{
    private const int Examples = 2;

    /// <summary>A rule that is none of these differs by far more; a GPU multiplies in fp16.</summary>
    private const double Tolerance = 0.01;

    /// <summary>Reads the rule off.</summary>
    /// <param name="model">The model.</param>
    /// <param name="classFeatures">Its class features; null where they depend on the image.</param>
    /// <param name="name">The name that an error calls the model by.</param>
    /// <exception cref="InputException">The scores depend on more, or are no such function.</exception>
    public static OnnxScores Of(CliperModel model, Tensor? classFeatures, string name)
    {
        if (classFeatures is null)
            throw new InputException($"{name}: the method {model.Prompts.Method} makes its prompts of each image's "
                + "feature; only prompts that are the same for every image can be written as ONNX");
        int width = model.Clip.Config.EmbedSize;
        float[] examples = [.. Enumerable.Range(0, Examples * width).Select(i => MathF.Sin(i + 1) * (1 + i / width))],
            rows = [.. new float[(1 + width) * width], .. examples];
        for (int i = 0; i < width; i++)
            rows[(1 + i) * width + i] = 1;
        float[] scores;
        using (var tape = new Tape(model.Clip.Device, recording: false))
            scores = model.Logits(tape, tape.Own(Tensor.From(tape.Device, rows,
                new Shape(1 + width + Examples, width))), classFeatures).ToArray();
        int columns = scores.Length / (1 + width + Examples);
        float[] bias = scores[..columns], weight = new float[columns * width];
        for (int i = 0; i < width; i++)
            for (int column = 0; column < columns; column++)
                weight[column * width + i] = scores[(1 + i) * columns + column] - bias[column];
        foreach (bool isNormalized in new[] { true, false })
        {
            var rule = new OnnxScores(weight, bias, isNormalized);
            if (rule.Fits(examples, scores.AsSpan((1 + width) * columns)))
                return rule;
        }
        throw new InputException($"{name}: the scores of the method {model.Prompts.Method} are no linear function of "
            + "the image's feature; no other can be written as ONNX");
    }

    private bool Fits(ReadOnlySpan<float> examples, ReadOnlySpan<float> scores)
    {
        int columns = Bias.Length, width = Weight.Length / columns;
        double largest = 0, worst = 0;
        for (int i = 0; i < scores.Length; i++)
        {
            ReadOnlySpan<float> example = examples.Slice(i / columns * width, width),
                row = Weight.AsSpan(i % columns * width, width);
            double product = 0, square = 0;
            for (int j = 0; j < width; j++)
            {
                product += (double)example[j] * row[j];
                square += (double)example[j] * example[j];
            }
            double own = product / (IsNormalized ? Math.Sqrt(square) : 1), found = scores[i] - Bias[i % columns];
            largest = Math.Max(largest, Math.Abs(own));
            worst = Math.Abs(own - found) <= worst ? worst : Math.Abs(own - found);
        }
        return worst <= Tolerance * largest;
    }
}
