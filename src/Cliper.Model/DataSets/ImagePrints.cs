using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>The features of an image that searches for duplicates compare.</summary>
/// <param name="Exact">Hash of all pixels and the width.</param>
/// <param name="Hash">Difference hash: one bit for each of 8 x 8 cells, set where it is darker than its right
/// neighbor.</param>
/// <param name="MirrorHash">The same of the mirrored image.</param>
/// <param name="Thumbnail">[16, 16], of mean 0 and length 1.</param>
/// <param name="MirrorThumbnail">The same of the mirrored image.</param>
/// <param name="Detail">[32, 32], without the coarse light and dark.</param>
internal sealed record ImagePrint(UInt128 Exact, ulong Hash, ulong MirrorHash, float[] Thumbnail,
    float[] MirrorThumbnail,
    float[] Detail);

/// <summary>
/// The prints of samples that one search after another compares, so that each image is decoded once for all of them. It
/// serves one search at a time. A cache of pixels would not do: it holds reduced images, and copies that are equal only
/// when reduced are not exact ones.
/// </summary>
internal sealed class ImagePrints
{
    private readonly Dictionary<IReadOnlyList<Frame>, ImagePrint?[]> _known = new(ReferenceEqualityComparer.Instance);

    /// <summary>Told, by the second, what a search does and the fraction of it that is done; null for nobody.</summary>
    public Action<string, double>? Progress { get; init; }

    /// <summary>A ticker for a part of a search.</summary>
    /// <param name="work">Words for it.</param>
    /// <param name="total">Number of its pieces.</param>
    internal WorkTicker Ticker(string work, int total) =>
        new(total, Progress is { } told ? fraction => told(work, fraction) : null);

    /// <summary>Whether a sample's prints are here.</summary>
    internal bool Has(Sample sample) => _known.ContainsKey(sample.Frames);

    /// <summary>A sample's prints; null in place of an image that could not be read.</summary>
    internal IReadOnlyList<ImagePrint?> Of(Sample sample) => _known[sample.Frames];

    /// <summary>Keeps a sample's prints.</summary>
    internal void Add(Sample sample, ImagePrint?[] prints) => _known[sample.Frames] = prints;
}
