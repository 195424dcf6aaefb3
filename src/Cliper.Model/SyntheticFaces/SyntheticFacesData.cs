using Cliper.Model.Images;
using Cliper.Model.Samples;

namespace Cliper.Model.SyntheticFaces;

/// <summary>
/// A numbered set of synthetic faces with labels and captions. Sets of one seed and different names have no face in
/// common. Sample i shows expression i modulo seven, so every class has its share. Thread-safe.
/// </summary>
internal sealed class SyntheticFacesData
{
    private readonly ulong _key;

    /// <summary>A set of faces.</summary>
    /// <param name="name">Which set: "train", "test", "pretrain".</param>
    /// <param name="seed">Seed of all sets of a run.</param>
    /// <param name="count">Faces in it.</param>
    /// <param name="size">Edge of the images in pixels, at least 16.</param>
    /// <param name="style">Style of the images.</param>
    public SyntheticFacesData(string name, ulong seed, int count, int size, FaceStyle style = FaceStyle.Paint)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(size, FaceRenderer.SmallestSize);
        (Name, Seed, Count, Size, Style) = (name, seed, count, size, style);
        _key = seed;
        foreach (char letter in name) // FNV-1a, so that the name tells the sets apart
            _key = (_key ^ letter) * 0x100000001B3;
    }

    /// <summary>Which set.</summary>
    public string Name { get; }

    /// <summary>Seed of all sets of a run.</summary>
    public ulong Seed { get; }

    /// <summary>Faces in it.</summary>
    public int Count { get; }

    /// <summary>Edge of the images in pixels.</summary>
    public int Size { get; }

    /// <summary>Style of the images.</summary>
    public FaceStyle Style { get; }

    /// <summary>The face that an image shows.</summary>
    public FaceParameters Face(int index) =>
        FaceParameters.Random(_key, index, (FaceExpression)(index % FaceExpressions.Count));

    /// <summary>Renders an image.</summary>
    public RgbImage Render(int index) => FaceImage.Render(Face(index), Size, Style);

    /// <summary>A sentence about an image; another variant (such as the epoch) gives another sentence.</summary>
    public string Caption(int index, uint variant = 0) => FaceCaptions.Describe(Face(index), variant);

    /// <summary>The set as samples; images are rendered when they are loaded.</summary>
    public DataSplit ToSplit() => new(Name, FaceExpressions.Names, [.. Enumerable.Range(0, Count).Select(index =>
        new Sample($"{Name}-{index:D6}", index % FaceExpressions.Count,
            [new GeneratedFrame($"drawn face {Name} {Seed} {index} {Size}x{Size} {Style}", () => Render(index))]))]);

    /// <summary>The data set of the demonstration: faces to learn from and unseen ones to test on.</summary>
    /// <param name="seed">Which faces.</param>
    /// <param name="train">Faces to learn from.</param>
    /// <param name="test">Faces to test on.</param>
    /// <param name="size">Edge of the images in pixels.</param>
    public static DataSetSplits Splits(ulong seed, int train, int test, int size) =>
        new(new SyntheticFacesData("train", seed, train, size).ToSplit(), null,
            new SyntheticFacesData("test", seed, test, size).ToSplit());
}
