using Cliper.Model.Images;
using Cliper.Model.Interpretation;

namespace Cliper.Model.Reporting;

/// <summary>Content of the page that explains a model. Sections without content are left out.</summary>
internal sealed record ExplainReport
{
    /// <summary>Headline, such as "What photographs has learned".</summary>
    public required string Title { get; init; }

    /// <summary>One line under it.</summary>
    public string Subtitle { get; init; } = "";

    /// <summary>When it was made.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Facts that a reader has to know.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Class names.</summary>
    public required IReadOnlyList<string> Classes { get; init; }

    /// <summary>Descriptors a class, M.</summary>
    public required int PerClass { get; init; }

    /// <summary>Words of the learned tokens.</summary>
    public IReadOnlyList<TokenWords> Words { get; init; } = [];

    /// <summary>The samples and their descriptors; null without data.</summary>
    public DescriptorAnswers? Answers { get; init; }

    /// <summary>The gallery.</summary>
    public IReadOnlyList<ReportDescriptor> Descriptors { get; init; } = [];

    /// <summary>Cosines between descriptors, [K * M, K * M]; empty for none.</summary>
    public float[] Similarities { get; init; } = [];

    /// <summary>Features in the plane; null for none.</summary>
    public FeaturePlane? Plane { get; init; }

    /// <summary>How much descriptors tell about traits.</summary>
    public IReadOnlyList<TraitResult> Traits { get; init; } = [];

    /// <summary>Shuffles of the traits' control.</summary>
    public int Shuffles { get; init; }

    /// <summary>Pictures and videos with maps.</summary>
    public IReadOnlyList<ExplainedImage> Images { get; init; } = [];

    /// <summary>Clips with their cosines over time.</summary>
    public IReadOnlyList<ExplainedClip> Clips { get; init; } = [];
}

/// <summary>How much the nearest descriptor tells about a trait.</summary>
/// <param name="Trait">The trait.</param>
/// <param name="Class">The class; null for all of them.</param>
/// <param name="Samples">Samples that count.</param>
/// <param name="Information">The measure.</param>
/// <param name="Counts">Samples of each part of the trait by descriptor, [part][m]; empty for all classes.</param>
internal sealed record TraitResult(SampleTrait Trait, string? Class, int Samples, Information Information,
    IReadOnlyList<int[]> Counts);

/// <summary>Maps over a face, or over one face in frames of a video.</summary>
/// <param name="Name">Name of the file without folders, for the image's own.</param>
/// <param name="Caption">The answer, a line.</param>
/// <param name="Image">The drawn maps.</param>
/// <param name="Maps">The maps, a line each of maps.csv.</param>
internal sealed record ExplainedImage(string Name, string Caption, RgbImage Image, IReadOnlyList<NamedMap> Maps);

/// <summary>A map with what it is of.</summary>
/// <param name="File">The file as it was given.</param>
/// <param name="Face">Number of the face, from 0.</param>
/// <param name="Time">Second of a video; null for a picture.</param>
/// <param name="Class">The class that is explained.</param>
/// <param name="Method">How it was made.</param>
/// <param name="Map">The map.</param>
internal sealed record NamedMap(string File, int Face, double? Time, string Class, string Method, ImageMap Map);

/// <summary>A clip's cosines with descriptors over time.</summary>
/// <param name="Name">Name of the file without folders.</param>
/// <param name="File">The file as it was given.</param>
/// <param name="Class">The class whose descriptors are drawn.</param>
/// <param name="Unit">Unit of the time: seconds, or none for frames.</param>
/// <param name="Rows">Time and the cosines with all descriptors, [K * M], by rising time.</param>
internal sealed record ExplainedClip(string Name, string File, string Class, string Unit,
    IReadOnlyList<(double Time, float[] Cosines)> Rows)
{
    /// <summary>The drawing: a curve for each descriptor of the class.</summary>
    /// <param name="classes">Class names.</param>
    /// <param name="perClass">Descriptors a class, M.</param>
    public Figure Draw(IReadOnlyList<string> classes, int perClass)
    {
        int label = classes.ToList().IndexOf(Class);
        return ExplainFigures.Curves([.. Enumerable.Range(0, perClass).Select(m => new IntensityCurve(
            FormattableString.Invariant($"{Class} {m + 1}"),
            [.. Rows.Select(row => (row.Time, (double)row.Cosines[label * perClass + m]))]))], Unit);
    }
}
