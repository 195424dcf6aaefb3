using System.Numerics.Tensors;
using Cliper.Autograd;
using Cliper.Model.Clip;
using Cliper.Model.Prompts;
using Tensor = Cliper.Autograd.Tensor;

namespace Cliper.Model.Interpretation;

/// <summary>How a map is made.</summary>
internal enum MapMethod
{
    /// <summary>Attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928): where the attention comes from,
    /// whatever the class.</summary>
    Rollout,

    /// <summary>Gradient-weighted relevance (Chefer et al. 2021, arXiv 2103.15679) of one class.</summary>
    Relevance,

    /// <summary>The same of the last block alone.</summary>
    LastLayer,

    /// <summary>Largest absolute gradient of the score by the colors of a pixel (Simonyan et al. 2013).</summary>
    Gradient,
}

/// <summary>A map over an image.</summary>
/// <param name="Side">Rows and columns.</param>
/// <param name="Values">[Side, Side].</param>
internal sealed record ImageMap(int Side, float[] Values);

/// <summary>
/// Maps over the patches of images, from one forward and one backward pass. For a vision transformer they follow all
/// blocks; a ResNet has one attention, that of the pooling at its end, and its patches are the pixels of its last
/// feature map.
/// </summary>
internal sealed class AttentionMaps
{
    private readonly TracedAttention[] _attentions;
    private readonly float[][] _gradients;
    private readonly int _samples;
    private float[] _pixels = [];

    /// <summary>Maps of attentions.</summary>
    /// <param name="attentions">The attentions, from the first to the last.</param>
    /// <param name="gradients">The score's gradient by the result of each.</param>
    /// <param name="samples">Number of images.</param>
    internal AttentionMaps(IEnumerable<TracedAttention> attentions, IEnumerable<float[]> gradients, int samples)
    {
        _samples = samples;
        _attentions = [.. attentions];
        _gradients = [.. gradients];
    }

    /// <summary>Scores of every prompt, [N, K * M].</summary>
    public float[] Logits { get; private init; } = [];

    /// <summary>The class that is explained of each image.</summary>
    public IReadOnlyList<int> Chosen { get; private init; } = [];

    /// <summary>Looks at images.</summary>
    /// <param name="model">The model.</param>
    /// <param name="classFeatures">Class features that serve every image; null where there are none.</param>
    /// <param name="images">Input of <see cref="IImageTower.Forward"/>, which gets a gradient.</param>
    /// <param name="label">The class to explain; null for the predicted one of each image.</param>
    /// <param name="cancellation">Ends it with an <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="InputException">The image tower has no attention.</exception>
    public static AttentionMaps Of(CliperModel model, Tensor? classFeatures, Tensor images, int? label,
        CancellationToken cancellation = default)
    {
        if (model.Clip.Vision is not ITracedTower tower)
            throw new InputException($"a {model.Clip.Vision.GetType().Name} has no attention that a map could show; "
                + "maps are for vision transformers, and for ResNets with attention pooling");
        int side = model.Clip.Vision.Input.ImageSize, samples = images.Shape[0];
        using var tape = new Tape(model.Clip.Device) { Cancellation = cancellation };
        var trace = new AttentionTrace();
        Tensor logits = model.Logits(tape, tower.Forward(tape, images, trace), classFeatures);
        float[] scores = logits.ToArray();
        int width = logits.Shape[1], prompts = model.Prompts.PromptsPerClass;
        int[] chosen = [.. Enumerable.Range(0, samples).Select(sample =>
            label ?? Prediction.ClassOf(scores.AsSpan(sample * width, width), prompts))];
        // The score of an image is the mean over the prompts of its class, as a prediction takes it.
        var weights = new float[scores.Length];
        for (int sample = 0; sample < samples; sample++)
            weights.AsSpan(sample * width + chosen[sample] * prompts, prompts).Fill(1f / prompts);
        Tensor weight = tape.Own(Tensor.From(tape.Device, weights, logits.Shape));
        trace.Backward(tape, tape.Sum(tape.Multiply(logits, weight)));
        return new AttentionMaps(trace.Attentions, trace.Gradients, samples)
        {
            Logits = scores,
            Chosen = chosen,
            _pixels = trace.PixelGradient(side),
        };
    }

    /// <summary>The map of an image.</summary>
    /// <param name="method">How it is made.</param>
    /// <param name="sample">Index of the image.</param>
    public ImageMap Of(MapMethod method, int sample) => method switch
    {
        MapMethod.Rollout => Follow(sample, 0, weighted: false),
        MapMethod.Relevance => Follow(sample, 0, weighted: true),
        MapMethod.LastLayer => Follow(sample, _attentions.Length - 1, weighted: true),
        _ => Gradient(sample),
    };

    /// <summary>The class token's row of the last attention, [heads][patches].</summary>
    /// <param name="sample">Index of the image.</param>
    public IReadOnlyList<float[]> LastAttention(int sample)
    {
        TracedAttention last = _attentions[^1];
        int keys = Rows(last.Keys, last);
        var row = new double[keys];
        return [.. Enumerable.Range(0, last.Heads).Select(head =>
        {
            Attend(last, sample, head, query: 0, row);
            return row.Skip(1).Select(value => (float)value).ToArray();
        })];
    }

    /// <summary>
    /// Goes from the class token of the last block back to the patches: r = e, and block by block r = r (A + I) / 2, or
    /// r = r (I + (A * dy/dA)+), each the mean over the heads. An attention pooling has no residual connection, so I is
    /// left out.
    /// </summary>
    private ImageMap Follow(int sample, int first, bool weighted)
    {
        double[] row = [1];
        for (int at = _attentions.Length - 1; at >= first; at--)
        {
            TracedAttention attention = _attentions[at];
            int queries = Rows(attention.Queries, attention), keys = Rows(attention.Keys, attention);
            double[] mixed = Mixed(at, sample, weighted), next = new double[keys];
            for (int query = 0; query < Math.Min(row.Length, queries); query++)
                for (int key = 0; key < keys; key++)
                    next[key] += row[query] * mixed[query * keys + key];
            if (attention.IsSelf)
                for (int key = 0; key < keys; key++)
                {
                    next[key] += key < row.Length ? row[key] : 0;
                    next[key] /= weighted ? 1 : 2;
                }
            row = next;
        }
        float[] values = [.. row.Skip(1).Select(value => (float)value)];
        return new ImageMap((int)Math.Round(Math.Sqrt(values.Length)), values);
    }

    /// <summary>Mean over the heads of the attention, or of its positive product with the gradient by it, [queries,
    /// keys].</summary>
    private double[] Mixed(int at, int sample, bool weighted)
    {
        TracedAttention attention = _attentions[at];
        int queries = Rows(attention.Queries, attention), keys = Rows(attention.Keys, attention),
            size = attention.Width / attention.Heads;
        double[] mixed = new double[queries * keys], row = new double[keys];
        for (int head = 0; head < attention.Heads; head++)
            for (int query = 0; query < queries; query++)
            {
                Attend(attention, sample, head, query, row);
                // dy/dA of a query and key is the result's gradient times the key's value.
                ReadOnlySpan<float> gradient = _gradients[at].AsSpan(
                    (sample * queries + query) * attention.Width + head * size, size);
                for (int key = 0; key < keys; key++)
                    mixed[query * keys + key] += (weighted ? Math.Max(0, row[key] * TensorPrimitives.Dot(gradient,
                        attention.Values.AsSpan((sample * keys + key) * attention.Width + head * size, size)))
                        : row[key]) / attention.Heads;
            }
        return mixed;
    }

    /// <summary>The attention of one head of one query: softmax(q k / sqrt(size)).</summary>
    private void Attend(TracedAttention attention, int sample, int head, int query, double[] row)
    {
        int queries = Rows(attention.Queries, attention), keys = row.Length,
            size = attention.Width / attention.Heads;
        ReadOnlySpan<float> q = attention.Queries.AsSpan(
            (sample * queries + query) * attention.Width + head * size, size);
        double largest = double.NegativeInfinity, sum = 0, scale = 1 / Math.Sqrt(size);
        for (int key = 0; key < keys; key++)
            largest = Math.Max(largest, row[key] = scale * TensorPrimitives.Dot(q,
                attention.Keys.AsSpan((sample * keys + key) * attention.Width + head * size, size)));
        for (int key = 0; key < keys; key++)
            sum += row[key] = Math.Exp(row[key] - largest);
        for (int key = 0; key < keys; key++)
            row[key] /= sum;
    }

    private ImageMap Gradient(int sample)
    {
        int plane = _pixels.Length / (3 * _samples);
        var values = new float[plane];
        for (int pixel = 0; pixel < plane; pixel++)
            for (int channel = 0; channel < 3; channel++)
                values[pixel] = Math.Max(values[pixel], Math.Abs(_pixels[(3 * sample + channel) * plane + pixel]));
        return new ImageMap((int)Math.Round(Math.Sqrt(plane)), values);
    }

    private int Rows(float[] operand, TracedAttention attention) => operand.Length / (_samples * attention.Width);
}
