namespace Cliper.Model.Loading;

/// <summary>Image features of a split's samples, kept in memory.</summary>
/// <param name="Width">Width of a feature, D.</param>
/// <param name="Values">Features of all samples, [samples, D], not normalized; zeros where one is missing.</param>
/// <param name="IsThere">Whether each sample could be read.</param>
internal sealed record FeatureTable(int Width, float[] Values, bool[] IsThere)
{
    /// <summary>Names of the images that could not be read, each with the reason.</summary>
    public IReadOnlyDictionary<string, string> Skipped { get; init; } = new Dictionary<string, string>();

    /// <summary>The feature of a sample.</summary>
    public ReadOnlySpan<float> this[int sample] => Values.AsSpan(sample * Width, Width);

    /// <summary>The features of some samples, one after the other.</summary>
    public float[] Rows(ReadOnlySpan<int> samples)
    {
        var rows = new float[samples.Length * Width];
        for (int i = 0; i < samples.Length; i++)
            this[samples[i]].CopyTo(rows.AsSpan(i * Width));
        return rows;
    }
}
