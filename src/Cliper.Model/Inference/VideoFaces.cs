using Cliper.Kernels.Operations;
using Cliper.Model.Faces;
using Cliper.Model.Prompts;

namespace Cliper.Model.Inference;

/// <summary>
/// Gathers the features of a video's faces, frame by frame: over all frames, and over windows of consecutive ones, of
/// which those that are open at a time are held.
/// </summary>
/// <param name="encoder">Makes answers of mean features.</param>
/// <param name="timeOf">Beginning of a frame in seconds, by its number from 0.</param>
/// <param name="window">Frames of a window; 0 for no windows.</param>
/// <param name="stride">Frames from the beginning of a window to that of the next.</param>
internal sealed class VideoFaces(FrameEncoder encoder, Func<int, double> timeOf, int window = 0, int stride = 1)
{
    /// <summary>Frames from which on a face that was seen in a single one counts as the detector's mistake.</summary>
    private const int ManyFrames = 8;

    private readonly List<Track> _tracks = [];
    private readonly List<(int First, int End)> _closed = [];
    private int _frames;

    /// <summary>Adds a face of the current frame.</summary>
    /// <param name="id">Its identity; the next new one is the number of those before.</param>
    /// <param name="face">Where it is; null for all of the frame.</param>
    /// <param name="feature">Its feature.</param>
    /// <param name="times">How often the frame counts in the mean: a short clip is filled up by repeats.</param>
    public void Add(int id, Face? face, ReadOnlySpan<float> feature, int times = 1)
    {
        while (id >= _tracks.Count)
            _tracks.Add(new Track(encoder.Width, [.. _closed.Select(closed => Empty(closed.First, closed.End))]));
        Track track = _tracks[id];
        track.All.Add(face?.Box, feature, times);
        if (face is not null)
            track.Seen.Add(new SeenFace((timeOf(_frames) + timeOf(_frames + 1)) / 2, face.Box));
        if (window == 0)
            return;
        int first = _frames < window ? 0 : (_frames - window) / stride + 1;
        for (int open = first; open <= _frames / stride; open++)
        {
            if (!track.Open.TryGetValue(open, out Sum? sum))
                track.Open.Add(open, sum = new Sum(encoder.Width));
            sum.Add(face?.Box, feature, times);
        }
    }

    /// <summary>Ends the current frame, and the window that ends with it.</summary>
    public void EndFrame()
    {
        _frames++;
        if (window > 0 && _frames >= window && (_frames - window) % stride == 0)
            Close((_frames - window) / stride, _frames - window);
    }

    /// <summary>
    /// The answers, faces in the order of their appearance; one without a face where there is none.
    /// </summary>
    /// <param name="onlyLargest">Whether the face that covers most, over all frames, is the only one that
    /// counts.</param>
    public IReadOnlyList<VideoFace> Answers(bool onlyLargest)
    {
        // A video with fewer frames than a window is one window.
        if (window > 0 && _frames is > 0 && _frames < window)
            Close(0, 0);
        IEnumerable<Track> kept = _tracks.Where(track => track.All.Count > 1 || _frames < ManyFrames);
        if (onlyLargest)
            kept = kept.OrderByDescending(track => track.Seen.Sum(seen => (double)seen.Box.Width * seen.Box.Height))
                .Take(1);
        VideoFace[] faces = [.. kept.Select(track => new VideoFace(track.All.Answer(encoder),
            (double)track.All.Count / _frames, track.Rows, track.Seen))];
        return faces.Length > 0 ? faces
            : [new VideoFace(null, 0, [.. _closed.Select(closed => Empty(closed.First, closed.End))], [])];
    }

    private void Close(int index, int first)
    {
        _closed.Add((first, _frames));
        foreach (Track track in _tracks)
            track.Rows.Add(track.Open.Remove(index, out Sum? sum)
                ? new TimelineRow(timeOf(first), timeOf(_frames), sum.Answer(encoder), sum.MeanBox,
                    (double)sum.Count / (_frames - first))
                : Empty(first, _frames));
    }

    private TimelineRow Empty(int first, int end) => new(timeOf(first), timeOf(end), null, null, 0);

    /// <summary>One face.</summary>
    private sealed class Track(int width, List<TimelineRow> rows)
    {
        /// <summary>All frames with it.</summary>
        public Sum All { get; } = new(width);

        public Dictionary<int, Sum> Open { get; } = [];

        public List<TimelineRow> Rows => rows;

        public List<SeenFace> Seen { get; } = [];
    }

    /// <summary>Sum of features and boxes.</summary>
    private sealed class Sum(int width)
    {
        private readonly double[] _box = new double[4];
        private readonly double[] _features = new double[width];
        private bool _hasBox;
        private int _weight;

        public int Count { get; private set; }

        public PixelBox? MeanBox => !_hasBox ? null : new PixelBox(Mean(0), Mean(1), Mean(2), Mean(3));

        public void Add(PixelBox? box, ReadOnlySpan<float> feature, int times)
        {
            Count++;
            _weight += times;
            for (int d = 0; d < feature.Length; d++)
                _features[d] += times * feature[d];
            if (box is not { } found)
                return;
            _hasBox = true;
            _box[0] += times * found.X;
            _box[1] += times * found.Y;
            _box[2] += times * found.Width;
            _box[3] += times * found.Height;
        }

        public Prediction Answer(FrameEncoder encoder) =>
            encoder.Classify([.. _features.Select(value => (float)(value / _weight))]);

        private int Mean(int part) => (int)Math.Round(_box[part] / _weight);
    }
}
