namespace Cliper.Model.Faces;

/// <summary>Makes one face of the many candidates that stand for it.</summary>
internal static class FaceMerging
{
    /// <summary>Boxes that cover each other more than this are one face's.</summary>
    private const float SameFace = 0.3f;

    /// <summary>
    /// A box of which this part lies within another is a part of that face, seen in a tile that was too small for it.
    /// </summary>
    private const float Within = 0.7f;

    /// <summary>
    /// Non-maximum suppression: of candidates that cover each other the one with the highest score stays; of equal
    /// scores the first.
    /// </summary>
    public static List<FaceCandidate> Strongest(IReadOnlyList<FaceCandidate> candidates)
    {
        var kept = new List<FaceCandidate>();
        foreach (FaceCandidate candidate in candidates.OrderByDescending(candidate => candidate.Score))
            if (kept.TrueForAll(other => !AreOne(other, candidate)))
                kept.Add(candidate);
        return kept;
    }

    /// <summary>Whether two boxes are one face's.</summary>
    public static bool AreOne(FaceCandidate a, FaceCandidate b) => a.IntersectionOverUnion(b) > SameFace
        || a.Common(b) > Within * MathF.Min(a.Width * a.Height, b.Width * b.Height);
}
