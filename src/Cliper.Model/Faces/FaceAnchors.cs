namespace Cliper.Model.Faces;

/// <summary>A face as BlazeFace tells it, in pixels of its input or of the picture.</summary>
/// <param name="Left">Left edge of the box.</param>
/// <param name="Top">Upper edge.</param>
/// <param name="Width">Width of the box.</param>
/// <param name="Height">Height of the box.</param>
/// <param name="Score">From 0 to 1.</param>
/// <param name="Points">Six points.</param>
internal sealed record FaceCandidate(float Left, float Top, float Width, float Height, float Score, FacePoint[] Points)
{
    /// <summary>Moved and scaled: (x, y) becomes (x * scale + right, y * scale + down).</summary>
    public FaceCandidate Placed(float scale, float right, float down) => new(Left * scale + right, Top * scale + down,
        Width * scale,
        Height * scale, Score,
        [.. Points.Select(point => new FacePoint(point.X * scale + right, point.Y * scale + down))]);

    /// <summary>Area of what both boxes cover over the area that either covers.</summary>
    public float IntersectionOverUnion(FaceCandidate other)
    {
        float common = Common(other), all = Width * Height + other.Width * other.Height - common;
        return all > 0 ? common / all : 0;
    }

    /// <summary>Area of what both boxes cover.</summary>
    public float Common(FaceCandidate other) =>
        MathF.Max(0, MathF.Min(Left + Width, other.Left + other.Width) - MathF.Max(Left, other.Left))
        * MathF.Max(0, MathF.Min(Top + Height, other.Top + other.Height) - MathF.Max(Top, other.Top));
}

/// <summary>
/// BlazeFace's anchors: boxes of the input's size, several around the center of each cell of a grid, which the
/// network's numbers move and scale.
/// </summary>
internal static class FaceAnchors
{
    private const int PointCount = 6;

    /// <summary>The faces that a grid of cells tells of.</summary>
    /// <param name="scores">[cells, cells, anchors] before the sigmoid.</param>
    /// <param name="boxes">[cells, cells, anchors, 16] in pixels of the input.</param>
    /// <param name="cells">Cells of a side.</param>
    /// <param name="least">The lowest score that counts, after the sigmoid.</param>
    /// <param name="faces">Given the faces, in pixels of the input.</param>
    public static void Decode(ReadOnlySpan<float> scores, ReadOnlySpan<float> boxes, int cells, float least,
        List<FaceCandidate> faces)
    {
        int perCell = scores.Length / (cells * cells);
        float size = (float)BlazeFaceNetwork.Side / cells;
        for (int anchor = 0; anchor < scores.Length; anchor++)
        {
            float score = 1 / (1 + MathF.Exp(-scores[anchor]));
            if (!(score >= least))
                continue;
            int cell = anchor / perCell;
            float x = (cell % cells + 0.5f) * size, y = (cell / cells + 0.5f) * size;
            ReadOnlySpan<float> numbers = boxes.Slice(anchor * BlazeFaceNetwork.BoxNumbers,
                BlazeFaceNetwork.BoxNumbers);
            float width = numbers[2], height = numbers[3];
            var points = new FacePoint[PointCount];
            for (int i = 0; i < PointCount; i++)
                points[i] = new FacePoint(x + numbers[4 + 2 * i], y + numbers[5 + 2 * i]);
            faces.Add(new FaceCandidate(x + numbers[0] - width / 2, y + numbers[1] - height / 2, width, height,
                score, points));
        }
    }
}
