using System.Collections.Concurrent;
using Cliper.Kernels.Operations;
using Cliper.Model.Weights;

namespace Cliper.Model.Data.Faces;

/// <summary>
/// Finds faces, turned ones too, with MediaPipe's BlazeFace and six points of each. May be used on several threads at once: each has a
/// copy of the network.
/// </summary>
public sealed class BlazeFace : IFaceDetector, IDisposable
{
    /// <summary>The lowest score of a face.</summary>
    private const float LeastScore = 0.5f;

    private readonly string _path;
    private readonly ConcurrentBag<BlazeFaceNetwork> _idle = [];
    private bool _disposed;

    /// <summary>A detector with the weights of a file.</summary>
    /// <param name="path">As weights-tools/convert_blazeface.py writes it; without it the one that comes with the program.</param>
    /// <exception cref="InputException">The file is missing, damaged, or another network's.</exception>
    public BlazeFace(string? path = null)
    {
        _path = path ?? ShippedModels.FaceDetector;
        _idle.Add(Load());
    }

    /// <inheritdoc/>
    public IReadOnlyList<Face> Find(RgbImage image)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        BlazeFaceNetwork network = _idle.TryTake(out BlazeFaceNetwork? taken) ? taken : Load();
        try
        {
            List<FaceCandidate> candidates = Candidates(network, image, new PixelBox(0, 0, image.Width, image.Height));
            return [.. FaceMerging.Strongest(candidates).Select(ToFace)
                .OrderByDescending(face => (long)face.Box.Width * face.Box.Height).ThenBy(face => face.Box.Y).ThenBy(face => face.Box.X)];
        }
        finally
        {
            _idle.Add(network);
        }
    }

    /// <summary>Candidates in a part of the picture, in pixels of the picture.</summary>
    private static List<FaceCandidate> Candidates(BlazeFaceNetwork network, RgbImage image, PixelBox part)
    {
        Letterbox place = Letterbox.Fill(image, part, BlazeFaceNetwork.Side, network.Input);
        network.Run();
        var found = new List<FaceCandidate>();
        int head = 0;
        foreach (int cells in network.HeadCells)
        {
            FaceAnchors.Decode(network.Scores(head), network.Boxes(head), cells, LeastScore, found);
            head++;
        }
        return [.. found.Select(face => face.Placed(place.Scale, place.Right, place.Down))];
    }

    private static Face ToFace(FaceCandidate face) => new(new PixelBox((int)MathF.Round(face.Left), (int)MathF.Round(face.Top),
        Math.Max(1, (int)MathF.Round(face.Width)), Math.Max(1, (int)MathF.Round(face.Height))), face.Score, face.Points);

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
