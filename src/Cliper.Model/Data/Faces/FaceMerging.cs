namespace Cliper.Model.Data.Faces;

/// <summary>Makes one face of the many candidates that stand for it.</summary>
internal static class FaceMerging
{
    /// <summary>Boxes that cover each other more than this are one face's.</summary>
    private const float SameFace = 0.3f;

    /// <summary>
    /// Non-maximum suppression: of candidates that cover each other the one with the highest score stays; of equal scores the first.
    /// </summary>
    public static List<FaceCandidate> Strongest(IReadOnlyList<FaceCandidate> candidates)
    {
        var kept = new List<FaceCandidate>();
        foreach (FaceCandidate candidate in candidates.OrderByDescending(candidate => candidate.Score))
            if (kept.TrueForAll(other => other.IntersectionOverUnion(candidate) <= SameFace))
                kept.Add(candidate);
        return kept;
    }
}
