using Cliper.Model.Samples;

namespace Cliper.Model.DataSets;

/// <summary>
/// A layout of data sets on disk. A new one is one file, and one entry in the list of <see cref="DataSetRegistry"/>.
/// </summary>
internal interface IDataSetFormat
{
    /// <summary>Name in settings.</summary>
    string Name { get; }

    /// <summary>The layout in one line, for errors and help.</summary>
    string Layout { get; }

    /// <summary>Whether the files at <paramref name="path"/> are of this format.</summary>
    bool Matches(string path, DataSetOptions options);

    /// <summary>Lists the samples, without opening images.</summary>
    /// <exception cref="InputException">Something is missing or wrong.</exception>
    RawSplits Read(string path, DataSetOptions options);
}

/// <summary>A sample before classes have numbers.</summary>
/// <param name="Name">Unique in its split.</param>
/// <param name="Class">Class name as the data set writes it.</param>
/// <param name="Frames">The images.</param>
/// <param name="Where">Where it was declared, for errors: a folder, or a file and line.</param>
/// <param name="Group">Subject, if known.</param>
/// <param name="Votes">Shares of the classes by name, where people disagreed; null for one certain label.</param>
internal sealed record RawSample(string Name, string Class, IReadOnlyList<Frame> Frames, string Where,
    string? Group = null,
    IReadOnlyDictionary<string, float>? Votes = null);

/// <summary>Samples in the splits of the data set; a data set without splits has everything in Train.</summary>
internal sealed record RawSplits(IReadOnlyList<RawSample> Train, IReadOnlyList<RawSample>? Validation,
    IReadOnlyList<RawSample>? Test)
{
    /// <summary>One sentence for each choice made in reading, and for all that was left out.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>How the images show their faces.</summary>
    public FaceAlignment Alignment { get; init; }

    public IEnumerable<IReadOnlyList<RawSample>> All =>
        new[] { Train, Validation, Test }.OfType<IReadOnlyList<RawSample>>();
}
