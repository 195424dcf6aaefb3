using System.Globalization;
using System.Xml;
using System.Xml.Linq;
using Cliper.Kernels.Operations;
using Cliper.Model.IO;

namespace Cliper.Model.Faces;

/// <summary>
/// A cascade of boosted trees over rectangle features (Viola and Jones 2001; Lienhart and Maydt 2002), as OpenCV's
/// haarcascade_*.xml hold it. The file is data: nothing in it is more than a number.
/// </summary>
internal sealed class FaceCascade
{
    private const long LongestFile = 16 << 20;
    private const int LargestWindow = 256;
    private const int MostBoxes = 3;

    /// <summary>Deepest element of a file; OpenCV's have 7.</summary>
    private const int DeepestElement = 32;

    private FaceCascade(int width, int height, Stage[] stages, Feature[] features) =>
        (Width, Height, Stages, Features) = (width, height, stages, features);

    /// <summary>A rectangle within the window, and what the sum of its pixels counts.</summary>
    public readonly record struct WeightedBox(PixelBox Box, float Weight);

    /// <summary>The weighted sum of one to three rectangles.</summary>
    public readonly record struct Feature(WeightedBox[] Boxes);

    /// <summary>
    /// Goes on to <paramref name="Below"/> where the feature is less than the threshold, else to
    /// <paramref name="Above"/>: above zero a node of the tree, else the leaf of that number without its sign.
    /// </summary>
    public readonly record struct Node(int Feature, float Threshold, int Below, int Above);

    /// <summary>A tree, its root first.</summary>
    public readonly record struct Tree(Node[] Nodes, float[] Leaves);

    /// <summary>A window passes where the sum of its trees' leaves reaches the threshold.</summary>
    public readonly record struct Stage(float Threshold, Tree[] Trees);

    /// <summary>Columns of the window.</summary>
    public int Width { get; }

    /// <summary>Rows of the window.</summary>
    public int Height { get; }

    /// <summary>The stages, the cheapest first.</summary>
    public Stage[] Stages { get; }

    /// <summary>The features that the nodes look at.</summary>
    public Feature[] Features { get; }

    /// <summary>Reads a file.</summary>
    /// <exception cref="InputException">It is missing, damaged, or another kind of cascade.</exception>
    public static FaceCascade Load(string path)
    {
        RegularFile.Require(path);
        try
        {
            using FileStream stream = File.OpenRead(path);
            if (stream.Length > LongestFile)
                throw new InputException(
                    $"{path}: {stream.Length:N0} bytes, expected a cascade of at most {LongestFile:N0}");
            // No document types: they could name other files, or multiply their own text.
            var settings = new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit };
            // An element knows all above it, which takes time with the square of the depth.
            using (var reader = XmlReader.Create(stream, settings))
                while (reader.Read())
                    if (reader.Depth > DeepestElement)
                        throw new InputException($"{path}: elements within elements to a depth of more than "
                            + $"{DeepestElement}; expected a haarcascade_*.xml of OpenCV");
            stream.Position = 0;
            using var again = XmlReader.Create(stream, settings);
            return Parse(XElement.Load(again), path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new InputException($"{path}: the cascade cannot be read ({failure.Message})", failure);
        }
        catch (XmlException failure)
        {
            throw new InputException(
                $"{path}: no XML file ({ForeignText.Short(failure.Message)}); expected a haarcascade_*.xml of OpenCV",
                failure);
        }
    }

    private static FaceCascade Parse(XElement root, string path)
    {
        if (root.Element("cascade") is not { } cascade || (string?)cascade.Element("featureType") != "HAAR"
            || (string?)cascade.Element("stageType") != "BOOST")
            throw Wrong("no cascade of boosted Haar features; expected a haarcascade_*.xml of OpenCV 2.4 or later");
        int width = Whole(cascade.Element("width")), height = Whole(cascade.Element("height"));
        if (width is < 3 or > LargestWindow || height is < 3 or > LargestWindow)
            throw Wrong($"a window of {width} x {height} pixels, expected 3 to {LargestWindow} a side");
        Feature[] features = [.. Items(cascade, "features").Select(ReadFeature)];
        Stage[] stages = [.. Items(cascade, "stages").Select(ReadStage)];
        if (stages.Length == 0 || stages.Any(stage => stage.Trees.Length == 0))
            throw Wrong("a stage without trees, or no stage at all");
        return new FaceCascade(width, height, stages, features);

        Feature ReadFeature(XElement item)
        {
            if (item.Element("tilted") is { } tilted && Whole(tilted) != 0)
                throw Wrong("tilted features, which are not read here; haarcascade_frontalface_alt2.xml has none");
            WeightedBox[] boxes =
                [.. Items(item, "rects").Select(box => Numbers(box) is [var x, var y, var w, var h, var weight]
                && x >= 0 && y >= 0 && w >= 1 && h >= 1 && x + w <= width && y + h <= height
                ? new WeightedBox(new PixelBox((int)x, (int)y, (int)w, (int)h), weight)
                : throw Wrong(
                $"the rectangle '{ForeignText.Short(box.Value.Trim())}', expected x, y, width, height in the window "
                    + "and a weight"))];
            return boxes.Length is >= 1 and <= MostBoxes ? new Feature(boxes)
                : throw Wrong($"a feature of {boxes.Length} rectangles, expected 1 to {MostBoxes}");
        }

        Stage ReadStage(XElement item) => new(Numbers(item.Element("stageThreshold")) is [var threshold] ? threshold
            : throw Wrong("a stage without a threshold"), [.. Items(item, "weakClassifiers").Select(ReadTree)]);

        Tree ReadTree(XElement item)
        {
            float[] numbers = Numbers(item.Element("internalNodes")), leaves = Numbers(item.Element("leafValues"));
            if (numbers.Length == 0 || numbers.Length % 4 != 0 || leaves.Length != numbers.Length / 4 + 1)
                throw Wrong($"a tree of {numbers.Length} numbers and {leaves.Length} leaves, expected four a node "
                    + "and a leaf more than nodes");
            var nodes = new Node[numbers.Length / 4];
            for (int i = 0; i < nodes.Length; i++)
            {
                nodes[i] = new Node((int)numbers[4 * i + 2], numbers[4 * i + 3], (int)numbers[4 * i],
                    (int)numbers[4 * i + 1]);
                // Children come after their parents, so that every path ends.
                if (nodes[i].Feature < 0 || nodes[i].Feature >= features.Length || !IsNext(nodes[i].Below, i)
                    || !IsNext(nodes[i].Above, i))
                    throw Wrong($"a node that leads to {nodes[i].Below}, {nodes[i].Above} by feature "
                        + $"{nodes[i].Feature}, which is not there");
            }
            return new Tree(nodes, leaves);

            bool IsNext(int next, int node) => next > node && next < nodes.Length || next <= 0 && next > -leaves.Length;
        }

        int Whole(XElement? element) => Numbers(element) is [var value] && value == MathF.Truncate(value)
            && MathF.Abs(value) < 1e6f
            ? (int)value : throw Wrong($"'{ForeignText.Short(element?.Value.Trim() ?? "")}', expected a whole number");

        float[] Numbers(XElement? element) => element is null ? [] :
        [
            .. element.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(word =>
                float.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out float value)
                && float.IsFinite(value) ? value
                    : throw Wrong($"'{ForeignText.Short(word)}', expected a number")),
        ];

        InputException Wrong(string what) => new($"{path}: {what}");
    }

    private static IEnumerable<XElement> Items(XElement parent, string list) => parent.Element(list)?.Elements("_")
        ?? [];
}
