using Cliper.Kernels.Operations;
using Cliper.Model.Images;

namespace Cliper.Model.Faces;

/// <summary>
/// Finds upright faces that look at the camera, with one of OpenCV's cascades. A window slides over the picture at many
/// sizes; where several that nearly coincide pass all stages, their mean is a face. May be used on several threads at
/// once.
/// </summary>
public sealed class CascadeDetector : IFaceDetector
{
    /// <summary>From one size of the window to the next.</summary>
    private const double ScaleStep = 1.1;

    /// <summary>
    /// Longer side that larger pictures are reduced to: faces are sought down to a part of the picture, not to pixels.
    /// </summary>
    private const int LongerSide = 640;

    /// <summary>The smallest face is this part of the shorter side.</summary>
    private const double SmallestPart = 1.0 / 12;

    /// <summary>Windows that have to agree on a face; single ones are mostly chance.</summary>
    private const int Agreeing = 4;

    /// <summary>How far the edges of windows that agree lie apart, as a part of their size.</summary>
    private const double Tolerance = 0.2;

    /// <summary>Standard deviation of gray values below which a window is too flat to be a face.</summary>
    private const double LeastDeviation = 10;

    /// <summary>Sums of leaves are as near to the thresholds of training as single precision was there.</summary>
    private const float Rounding = 1e-5f;

    private const string UsualFile = "haarcascade_frontalface_alt2.xml";

    private static readonly string[] UsualFolders =
    [
        "/usr/share/opencv4/haarcascades", "/usr/share/opencv/haarcascades", "/usr/local/share/opencv4/haarcascades",
        "/opt/homebrew/share/opencv4/haarcascades",
    ];

    private readonly FaceCascade _cascade;

    private CascadeDetector(FaceCascade cascade) => _cascade = cascade;

    /// <summary>
    /// The cascade of an installed OpenCV (Debian, Ubuntu: the package opencv-data); null where there is none.
    /// </summary>
    public static string? Installed => UsualFolders.Select(folder => Path.Combine(folder, UsualFile))
        .FirstOrDefault(File.Exists);

    /// <summary>A detector with a cascade.</summary>
    /// <param name="path">A haarcascade_*.xml without tilted features.</param>
    /// <exception cref="InputException">The file is missing, damaged, or another kind of cascade.</exception>
    public static CascadeDetector Load(string path) => new(FaceCascade.Load(path));

    /// <inheritdoc/>
    public IReadOnlyList<Face> Find(RgbImage image)
    {
        double reduced = Math.Max(1, Math.Max(image.Width, image.Height) / (double)LongerSide);
        int width = Divided(image.Width, reduced), height = Divided(image.Height, reduced);
        byte[] gray = Resized(Gray(image), image.Width, image.Height, width, height);
        var hits = new List<PixelBox>();
        double smallest = SmallestPart * Math.Min(width, height) / Math.Min(_cascade.Width, _cascade.Height);
        for (double scale = Math.Max(1, smallest); ; scale *= ScaleStep)
        {
            int w = Divided(width, scale), h = Divided(height, scale);
            if (w < _cascade.Width || h < _cascade.Height)
                break;
            Scan(Resized(gray, width, height, w, h), w, h, scale, scale * reduced, hits);
        }
        return [.. Agreed(hits).OrderByDescending(face => (long)face.Width * face.Height).ThenBy(face => face.Y)
            .ThenBy(face => face.X)
            .Select(box => new Face(box, 1, []))];
    }

    private static int Divided(int side, double by) => Math.Max(1, (int)Math.Round(side / by));

    private static byte[] Gray(RgbImage image)
    {
        var gray = new byte[image.Width * image.Height];
        for (int i = 0; i < gray.Length; i++)
        {
            ReadOnlySpan<byte> pixel = image.Pixels.AsSpan(3 * i, 3);
            gray[i] = (byte)((299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2] + 500) / 1000);
        }
        return gray;
    }

    private static byte[] Resized(byte[] gray, int width, int height, int newWidth, int newHeight)
    {
        if (width == newWidth && height == newHeight)
            return gray;
        var resized = new byte[newWidth * newHeight];
        Resize.Forward<Bilinear>(gray, width, height, 1, newWidth, newHeight, resized);
        return resized;
    }

    /// <summary>All windows of one size.</summary>
    /// <param name="gray">[height, width], reduced so that a face of this size fills the cascade's window.</param>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    /// <param name="scale">How far that is from the picture that is scanned; small windows are moved by two
    /// pixels.</param>
    /// <param name="toPicture">Pixels of the original picture for one of these.</param>
    /// <param name="hits">Given the windows that pass, in pixels of the original picture.</param>
    private void Scan(byte[] gray, int width, int height, double scale, double toPicture, List<PixelBox> hits)
    {
        int stride = width + 1, step = scale > 2 ? 1 : 2;
        var sums = new int[stride * (height + 1)];
        var squares = new long[sums.Length];
        for (int y = 0; y < height; y++)
        {
            int sum = 0;
            long square = 0;
            for (int x = 0; x < width; x++)
            {
                int value = gray[y * width + x], at = (y + 1) * stride + x + 1;
                sum += value;
                square += value * value;
                sums[at] = sums[at - stride] + sum;
                squares[at] = squares[at - stride] + square;
            }
        }
        PlacedBox[][] features =
            [.. _cascade.Features.Select(feature => feature.Boxes.Select(box => new PlacedBox(box, stride)).ToArray())];
        // The outermost pixels of a window are the least a part of the face.
        var inside = new PlacedBox(new FaceCascade.WeightedBox(new PixelBox(1, 1, _cascade.Width - 2,
            _cascade.Height - 2), 1), stride);
        double area = (_cascade.Width - 2.0) * (_cascade.Height - 2);
        int boxWidth = (int)Math.Round(_cascade.Width * toPicture),
            boxHeight = (int)Math.Round(_cascade.Height * toPicture);
        for (int y = 0; y <= height - _cascade.Height; y += step)
        {
            for (int x = 0; x <= width - _cascade.Width; x += step)
            {
                int at = y * stride + x;
                double sum = inside.Of(sums, at), spread = area * inside.Of(squares, at) - sum * sum;
                if (spread <= 0 || Math.Sqrt(spread) <= LeastDeviation * area)
                    continue;
                int passed = StagesPassed(features, sums, at, (float)(1 / Math.Sqrt(spread)));
                if (passed == _cascade.Stages.Length)
                    hits.Add(new PixelBox((int)Math.Round(x * toPicture), (int)Math.Round(y * toPicture), boxWidth,
                        boxHeight));
                else if (passed == 0)
                    x += step; // What the very first stage refuses has no face beside it either.
            }
        }
    }

    private int StagesPassed(PlacedBox[][] features, int[] sums, int at, float norm)
    {
        for (int s = 0; s < _cascade.Stages.Length; s++)
        {
            FaceCascade.Stage stage = _cascade.Stages[s];
            float sum = 0;
            foreach (FaceCascade.Tree tree in stage.Trees)
            {
                int next = 0;
                do
                {
                    FaceCascade.Node node = tree.Nodes[next];
                    float value = 0;
                    foreach (PlacedBox box in features[node.Feature])
                        value += box.Weight * box.Of(sums, at);
                    next = value * norm < node.Threshold ? node.Below : node.Above;
                }
                while (next > 0);
                sum += tree.Leaves[-next];
            }
            if (sum < stage.Threshold - Rounding)
                return s;
        }
        return _cascade.Stages.Length;
    }

    /// <summary>Means of the windows that agree.</summary>
    private static List<PixelBox> Agreed(List<PixelBox> hits)
    {
        int[] group = [.. Enumerable.Range(0, hits.Count)];
        for (int i = 0; i < hits.Count; i++)
            for (int j = 0; j < i; j++)
                if (Agree(hits[i], hits[j]))
                    group[RootOf(i)] = RootOf(j);
        (PixelBox Box, int Windows)[] faces =
        [
            .. Enumerable.Range(0, hits.Count).GroupBy(RootOf).Where(members => members.Count() >= Agreeing)
            .Select(members =>
                (new PixelBox(Mean(members, box => box.X), Mean(members, box => box.Y), Mean(members, box => box.Width),
                    Mean(members, box => box.Height)), members.Count())),
        ];
        // A smaller one within a face that more windows agree on is a part of it: an eye, a mouth.
        return [.. faces.Where(inner => !faces.Any(outer => outer != inner && outer.Windows > inner.Windows
            && IsWithin(inner.Box, outer.Box.Widened((float)Tolerance)))).Select(face => face.Box)];

        int RootOf(int index)
        {
            while (group[index] != index)
                index = group[index] = group[group[index]];
            return index;
        }

        int Mean(IEnumerable<int> members, Func<PixelBox, int> value) =>
            (int)Math.Round(members.Average(index => value(hits[index])));
    }

    private static bool Agree(PixelBox a, PixelBox b)
    {
        double apart = Tolerance * (Math.Min(a.Width, b.Width) + Math.Min(a.Height, b.Height)) / 2;
        return Math.Abs(a.X - b.X) <= apart && Math.Abs(a.Y - b.Y) <= apart
            && Math.Abs(a.X + a.Width - b.X - b.Width) <= apart && Math.Abs(a.Y + a.Height - b.Y - b.Height) <= apart;
    }

    private static bool IsWithin(PixelBox inner, PixelBox outer) => inner.X >= outer.X && inner.Y >= outer.Y
        && inner.X + inner.Width <= outer.X + outer.Width && inner.Y + inner.Height <= outer.Y + outer.Height;

    /// <summary>A rectangle as the four places of its corners in a table of sums, seen from the window's own.</summary>
    private readonly struct PlacedBox(FaceCascade.WeightedBox box, int stride)
    {
        private readonly int _upperLeft = box.Box.Y * stride + box.Box.X;
        private readonly int _upperRight = box.Box.Y * stride + box.Box.X + box.Box.Width;
        private readonly int _lowerLeft = (box.Box.Y + box.Box.Height) * stride + box.Box.X;
        private readonly int _lowerRight = (box.Box.Y + box.Box.Height) * stride + box.Box.X + box.Box.Width;

        public float Weight { get; } = box.Weight;

        public int Of(int[] sums, int at) =>
            sums[at + _lowerRight] - sums[at + _lowerLeft] - sums[at + _upperRight] + sums[at + _upperLeft];

        public long Of(long[] sums, int at) =>
            sums[at + _lowerRight] - sums[at + _lowerLeft] - sums[at + _upperRight] + sums[at + _upperLeft];
    }
}
