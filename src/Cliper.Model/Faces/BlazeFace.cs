using System.Collections.Concurrent;
using Cliper.Kernels.Operations;
using Cliper.Model.Checkpoints;
using Cliper.Model.Images;
using Cliper.Model.Weights;

namespace Cliper.Model.Faces;

/// <summary>
/// Finds faces, turned ones too, with MediaPipe's BlazeFace and six points of each. Pictures that are large beside the
/// smallest face that is wanted are looked at whole and in overlapping tiles. May be used on several threads at once:
/// each has a copy of the network.
/// </summary>
public sealed class BlazeFace : IFaceDetector, IDisposable
{
    /// <summary>The lowest score of a face in the whole picture, and from which on it is sure.</summary>
    private const float LeastScore = 0.5f, SureScore = 0.8f;

    /// <summary>
    /// The lowest score in a tile. It often holds a part of a face, or what is small in the picture and large in it:
    /// such things scored at most 0.79 in the photographs at hand, small faces 0.9 and more.
    /// </summary>
    private const float LeastScoreInTile = SureScore;

    /// <summary>
    /// How a face that is not sure is looked at again: in a square of so many times its side, it needs so high a score.
    /// Faces of the photographs at hand had at least 0.73 and 0.66, stripes and noise less.
    /// </summary>
    private static readonly (float Sides, float LeastScore)[] SecondLooks = [(2, 0.7f), (3, 0.6f)];

    /// <summary>
    /// The border, as a part of the shorter side, with which a small picture is looked at: crops of training sets are
    /// often filled by their face. Of 399 of FER2013 the network finds 249 as they are, and two faces in 24 of them.
    /// </summary>
    private const float Border = 0.25f;

    /// <summary>Side of the smallest face that is looked for, in pixels, unless told otherwise.</summary>
    public const int UsualSmallestFace = 64;

    private readonly string _path;
    private readonly int _smallestFace;
    private readonly ConcurrentBag<BlazeFaceNetwork> _idle = [];
    private bool _disposed;

    /// <summary>A detector with the weights of a file.</summary>
    /// <param name="path">File of weights-tools/convert_blazeface.py; without it the one that comes with the
    /// program.</param>
    /// <param name="smallestFace">Side of the smallest face that is looked for, in pixels.</param>
    /// <exception cref="InputException">The file is missing, damaged, or another network's.</exception>
    public BlazeFace(string? path = null, int smallestFace = UsualSmallestFace)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(smallestFace, 1);
        _path = path ?? ShippedModels.FaceDetector;
        _smallestFace = smallestFace;
        _idle.Add(Load());
    }

    /// <inheritdoc/>
    public IReadOnlyList<Face> Find(RgbImage image)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        BlazeFaceNetwork network = _idle.TryTake(out BlazeFaceNetwork? taken) ? taken : Load();
        try
        {
            int side = Math.Max(image.Width, image.Height);
            int border = (int)MathF.Round(Border * Math.Min(image.Width, image.Height));
            // A picture that fits into the network's input with its border loses no detail by it.
            List<FaceCandidate> found = side + 2 * border <= BlazeFaceNetwork.Side ? [] : FindIn(network, image);
            if (found.Count == 0 && side <= BlazeFaceNetwork.Side)
                found = [.. FindIn(network, image.WithBorder(border)).Select(face => face.Placed(1, -border, -border))];
            return [.. found.Select(ToFace).OrderByDescending(face => (long)face.Box.Width * face.Box.Height)
                .ThenBy(face => face.Box.Y).ThenBy(face => face.Box.X)];
        }
        finally
        {
            _idle.Add(network);
        }
    }

    private List<FaceCandidate> FindIn(BlazeFaceNetwork network, RgbImage image)
    {
        List<FaceCandidate> candidates = Candidates(network, image, new PixelBox(0, 0, image.Width, image.Height),
            LeastScore);
        foreach (PixelBox tile in FaceTiles.Of(image.Width, image.Height, _smallestFace))
            candidates.AddRange(Candidates(network, image, tile, LeastScoreInTile).Where(face =>
                !FaceTiles.IsCut(face, tile, image)));
        return [.. FaceMerging.Strongest(candidates).Where(face => face.Score >= SureScore
            || IsThereAgain(network, image, face))];
    }

    /// <summary>Whether a face is found again when the picture around it is looked at from nearer by.</summary>
    private static bool IsThereAgain(BlazeFaceNetwork network, RgbImage image, FaceCandidate face)
    {
        foreach ((float sides, float least) in SecondLooks)
        {
            float side = sides * MathF.Max(face.Width, face.Height);
            int left = (int)MathF.Max(0, face.Left + (face.Width - side) / 2),
                top = (int)MathF.Max(0, face.Top + (face.Height - side) / 2);
            int right = (int)MathF.Min(image.Width, face.Left + (face.Width + side) / 2);
            int bottom = (int)MathF.Min(image.Height, face.Top + (face.Height + side) / 2);
            if (right <= left || bottom <= top
                || !Candidates(network, image, new PixelBox(left, top, right - left, bottom - top), least)
                    .Exists(again => FaceMerging.AreOne(again, face)))
                return false;
        }
        return true;
    }

    /// <summary>Candidates in a part of the picture, in pixels of the picture.</summary>
    private static List<FaceCandidate> Candidates(BlazeFaceNetwork network, RgbImage image, PixelBox part, float least)
    {
        Letterbox place = Letterbox.Fill(image, part, BlazeFaceNetwork.Side, network.Input);
        network.Run();
        var found = new List<FaceCandidate>();
        int head = 0;
        foreach (int cells in network.HeadCells)
        {
            FaceAnchors.Decode(network.Scores(head), network.Boxes(head), cells, least, found);
            head++;
        }
        return [.. found.Select(face => face.Placed(place.Scale, place.Right, place.Down))];
    }

    private static Face ToFace(FaceCandidate face) =>
        new(new PixelBox((int)MathF.Round(face.Left), (int)MathF.Round(face.Top),
        Math.Max(1, (int)MathF.Round(face.Width)), Math.Max(1, (int)MathF.Round(face.Height))), face.Score,
        face.Points);

    private BlazeFaceNetwork Load()
    {
        using var weights = new SafeTensors(_path);
        return new BlazeFaceNetwork(weights);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        while (_idle.TryTake(out BlazeFaceNetwork? network))
            network.Dispose();
    }
}
