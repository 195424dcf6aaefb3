using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// Gives the faces of a video an identity from frame to frame. A face is the one whose last box it overlaps, pairs with
/// the greatest intersection over union first; a face that overlaps none is new. A face that is not found for some
/// frames keeps its last box and its identity.
/// </summary>
/// <param name="crop">Which parts of a frame are faces.</param>
internal sealed class FaceTracker(FaceCrop crop)
{
    private readonly List<PixelBox> _last = [];

    /// <summary>Frames so far.</summary>
    public int Frames { get; private set; }

    /// <summary>Frames so far in which faces were looked for and none was found.</summary>
    public int Missing { get; private set; }

    /// <summary>The faces of the next frame with their identities, numbers from 0 in the order of appearance; a null
    /// face stands for all of the frame.</summary>
    /// <param name="frame">The frame.</param>
    /// <param name="name">The name that it has in a table.</param>
    public IReadOnlyList<(int Id, Face? Face)> Next(RgbImage frame, string name)
    {
        Frames++;
        if (crop.AllFaces(frame, name) is not { } faces)
            return [(0, null)];
        if (faces.Count == 0)
            Missing++;
        int known = _last.Count;
        var ids = new int?[faces.Count];
        foreach ((int face, int id, _) in Enumerable.Range(0, faces.Count)
            .SelectMany(face => Enumerable.Range(0, known).Select(id =>
                (face, id, Overlap: IntersectionOverUnion(faces[face].Box, _last[id]))))
            .Where(pair => pair.Overlap > 0).OrderByDescending(pair => pair.Overlap))
            if (ids[face] is null && !ids.Contains(id))
                ids[face] = id;
        var found = new List<(int, Face?)>();
        for (int face = 0; face < faces.Count; face++)
        {
            int id = ids[face] ?? _last.Count;
            if (id == _last.Count)
                _last.Add(faces[face].Box);
            _last[id] = faces[face].Box;
            found.Add((id, faces[face]));
        }
        return found;
    }

    private static double IntersectionOverUnion(PixelBox a, PixelBox b)
    {
        double across = Math.Min(a.X + a.Width, b.X + b.Width) - Math.Max(a.X, b.X),
            down = Math.Min(a.Y + a.Height, b.Y + b.Height) - Math.Max(a.Y, b.Y);
        double common = Math.Max(0, across) * Math.Max(0, down);
        return common / ((double)a.Width * a.Height + (double)b.Width * b.Height - common);
    }
}
