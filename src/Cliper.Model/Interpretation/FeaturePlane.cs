using System.Numerics.Tensors;
using Cliper.Model.Samples;

namespace Cliper.Model.Interpretation;

/// <summary>A sample or descriptor in the plane.</summary>
/// <param name="Name">Name of the sample; null for a descriptor.</param>
/// <param name="Label">Its class.</param>
/// <param name="Descriptor">The sample's nearest own descriptor, or the descriptor itself, from 0.</param>
/// <param name="IsRight">Whether the sample was predicted right; true for a descriptor.</param>
/// <param name="X">First coordinate.</param>
/// <param name="Y">Second coordinate.</param>
internal sealed record PlanePoint(string? Name, int Label, int Descriptor, bool IsRight, double X, double Y);

/// <summary>Features of samples and of descriptors in one plane, by <see cref="TSne"/>.</summary>
/// <param name="Points">Samples, then descriptors.</param>
/// <param name="Divergence">The divergence that t-SNE ended with.</param>
internal sealed record FeaturePlane(IReadOnlyList<PlanePoint> Points, double Divergence)
{
    private const int FewestPoints = 8;

    /// <summary>
    /// Places features. Features of images and of texts lie in two cones of the space (the modality gap), so the mean
    /// of either side is taken away before both are made of length 1.
    /// </summary>
    /// <param name="answers">The samples.</param>
    /// <param name="descriptors">Features of descriptors, [K * M, D], class by class.</param>
    /// <param name="perClass">Descriptors a class, M.</param>
    /// <param name="most">Most samples; of more some of each class are chosen by the seed, in proportion.</param>
    /// <param name="seed">Seed of the choice.</param>
    /// <param name="cancellation">Ends it between two steps.</param>
    /// <returns>Null where there are too few points.</returns>
    public static FeaturePlane? Of(DescriptorAnswers answers, float[] descriptors, int perClass, int most, ulong seed,
        CancellationToken cancellation)
    {
        DescriptorAnswer[] chosen = Chosen(answers, most, seed);
        int width = answers.Features.Width, count = descriptors.Length / width;
        if (chosen.Length + count < FewestPoints)
            return null;
        float[] images = answers.Features.Rows([.. chosen.Select(answer => answer.Index)]);
        var texts = (float[])descriptors.Clone();
        Align(images, width);
        Align(texts, width);
        TSne map = TSne.Of([.. images, .. texts], width, cancellation: cancellation);
        return new FeaturePlane(
        [
            .. chosen.Select((answer, at) => new PlanePoint(answers.Split.Samples[answer.Index].Name, answer.Label,
                answer.Descriptor, answer.IsRight, map.Points[2 * at], map.Points[2 * at + 1])),
            .. Enumerable.Range(0, count).Select(row => new PlanePoint(null, row / perClass, row % perClass, true,
                map.Points[2 * (chosen.Length + row)], map.Points[2 * (chosen.Length + row) + 1])),
        ], map.Divergence);
    }

    private static DescriptorAnswer[] Chosen(DescriptorAnswers answers, int most, ulong seed)
    {
        if (answers.Answers.Count <= most)
            return [.. answers.Answers];
        double share = (double)most / answers.Answers.Count;
        var byName = answers.Answers.ToDictionary(answer => answers.Split.Samples[answer.Index].Name);
        return
        [
            .. answers.Answers.GroupBy(answer => answer.Label).OrderBy(group => group.Key).SelectMany(group =>
                FewShots.Of(new DataSplit("", answers.Split.Classes,
                    [.. group.Select(answer => answers.Split.Samples[answer.Index])]),
                    Math.Max(1, (int)(share * group.Count())), seed).Samples.Select(sample => byName[sample.Name])),
        ];
    }

    /// <summary>Makes rows of length 1, takes their mean from them, and makes them of length 1 again.</summary>
    private static void Align(float[] rows, int width)
    {
        Normalize(rows, width);
        int count = rows.Length / width;
        var mean = new float[width];
        for (int row = 0; row < count; row++)
            TensorPrimitives.Add(mean, rows.AsSpan(row * width, width), mean);
        TensorPrimitives.Divide(mean, count, mean);
        for (int row = 0; row < count; row++)
            TensorPrimitives.Subtract(rows.AsSpan(row * width, width), mean, rows.AsSpan(row * width, width));
        Normalize(rows, width);
    }

    private static void Normalize(float[] rows, int width)
    {
        for (int at = 0; at < rows.Length; at += width)
        {
            Span<float> row = rows.AsSpan(at, width);
            float norm = TensorPrimitives.Norm<float>(row);
            if (norm > 0)
                TensorPrimitives.Divide(row, norm, row);
        }
    }
}
