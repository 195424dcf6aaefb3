namespace Cliper.Model.SyntheticFaces;

/// <summary>The seven basic expressions, in alphabetical order: an expression's number is its label.</summary>
internal enum FaceExpression
{
    /// <summary>Brows down and together, lids tense, lips pressed or teeth bared.</summary>
    Anger,

    /// <summary>Nose wrinkled, upper lip up.</summary>
    Disgust,

    /// <summary>Inner brows up and drawn together, lids up, lips stretched sideways.</summary>
    Fear,

    /// <summary>Cheeks and corners of the mouth up.</summary>
    Happiness,

    /// <summary>A face at rest.</summary>
    Neutral,

    /// <summary>Inner brows up, corners of the mouth down.</summary>
    Sadness,

    /// <summary>Brows and lids up, jaw dropped.</summary>
    Surprise,
}

/// <summary>Names of <see cref="FaceExpression"/>.</summary>
public static class FaceExpressions
{
    /// <summary>How many there are.</summary>
    public const int Count = 7;

    /// <summary>Class names by label: anger, disgust, fear, happiness, neutral, sadness, surprise.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [.. Enum.GetValues<FaceExpression>().Select(e => e.ToString().ToLowerInvariant())];
}
