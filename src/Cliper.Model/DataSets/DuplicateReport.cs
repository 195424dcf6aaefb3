using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>How alike two images are.</summary>
public enum DuplicateKind
{
    /// <summary>The decoded pixels are equal.</summary>
    Exact,

    /// <summary>The same image at another size, compression, brightness or contrast, or mirrored.</summary>
    Near,
}

/// <summary>A training sample that also is, or nearly is, in another split.</summary>
/// <param name="Train">Index of the training sample.</param>
/// <param name="Other">Index of the sample of the other split.</param>
/// <param name="Kind">How alike they are.</param>
/// <param name="Similarity">Correlation of the two images' details, at most 1.</param>
/// <param name="Mirrored">Whether one is the mirror image of the other.</param>
public readonly record struct DuplicatePair(int Train, int Other, DuplicateKind Kind, float Similarity, bool Mirrored);

/// <summary>The images that training and another split have in common.</summary>
/// <param name="Train">The training split.</param>
/// <param name="Other">The split that is measured on.</param>
/// <param name="Pairs">The pairs, ordered by the training sample, then the other.</param>
/// <param name="Unreadable">Images that could not be read and were not compared.</param>
public sealed record DuplicateReport(DataSplit Train, DataSplit Other, IReadOnlyList<DuplicatePair> Pairs,
    int Unreadable)
{
    /// <summary>Samples of the other split with an exact copy in training.</summary>
    public int ExactSamples => SamplesOf(DuplicateKind.Exact).Count;

    /// <summary>Samples of the other split with a near copy in training and no exact one.</summary>
    public int NearSamples => SamplesOf(DuplicateKind.Near).Except(SamplesOf(DuplicateKind.Exact)).Count();

    /// <summary>Training samples in any pair.</summary>
    public int TrainSamples => Pairs.Select(pair => pair.Train).Distinct().Count();

    /// <summary>Pairs whose labels differ: the data set contradicts itself.</summary>
    public int Contradictions => Pairs.Count(pair => Train.Samples[pair.Train].Label
        != Other.Samples[pair.Other].Label);

    /// <summary>The training split without the samples that are in a pair.</summary>
    public DataSplit Cleaned()
    {
        HashSet<int> dropped = [.. Pairs.Select(pair => pair.Train)];
        return new DataSplit(Train.Name, Train.Classes,
            [.. Train.Samples.Where((_, index) => !dropped.Contains(index))]);
    }

    /// <summary>One line for logs.</summary>
    public override string ToString() =>
        $"{Other.Name}: {ExactSamples} of {Other.Samples.Count} samples are in {Train.Name} too, {NearSamples} "
        + $"nearly ({TrainSamples} training samples, {Contradictions} pairs with different labels)";

    private HashSet<int> SamplesOf(DuplicateKind kind) =>
        [.. Pairs.Where(pair => pair.Kind == kind).Select(pair => pair.Other)];
}
