using Cliper.Kernels.Tests;
using Cliper.Model.Stages;

namespace Cliper.Model.Tests;

/// <summary>
/// Holds the layers of the folders of Cliper.Model, as the compiled assembly has them: no type uses a type of a folder
/// that stands in its own line of the list or in a later one.
/// </summary>
public sealed class FolderLayersTests
{
    private const string Root = "Cliper.Model";

    /// <summary>The library's entry: it stands beside the folders, where it is found first, and above them.</summary>
    private static readonly Type[] Entry = [typeof(ExpressionRecognizer), typeof(RecognizerOptions),
        typeof(RecognizerDevice),
        typeof(FaceSelection), typeof(Recognition), typeof(RecognizedFace), typeof(RecognizerModel),
        typeof(CliperServices), typeof(FoundFaces)];

    private static readonly string[][] Layers =
    [
        [""],
        ["IO"],
        ["Text"],
        ["Clip"],
        ["Prompts"],
        ["Weights"],
        ["Images"],
        ["Samples"],
        ["SyntheticFaces", "Faces", "Video"],
        ["DataSets"],
        ["Loading"],
        ["Metrics"],
        ["Settings"],
        ["Checkpoints"],
        ["Inference"],
        ["Export"],
        ["Stages"],
        ["Interpretation"],
        ["Reporting"],
        ["Runs"],
        ["entry"],
        ["Diagnostics"],
    ];

    [Test]
    public void EveryFolder_HasALayer() =>
        Assert.That(Types().Select(FolderOf).Distinct(), Is.SubsetOf(Layers.SelectMany(layer => layer)));

    [Test]
    public void NoFolder_UsesOneAboveIt()
    {
        var back = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (Type type in Types())
            foreach (Type used in TypeReferences.Of(type).Where(IsOurs))
            {
                (string from, string to) = (FolderOf(type), FolderOf(used));
                if (from != to && LayerOf(to) >= LayerOf(from))
                    back.TryAdd($"{from} -> {to}", $"{type.FullName} uses {used.FullName}");
            }

        Assert.That(back.Select(edge => $"{edge.Key}: {edge.Value}"), Is.Empty);
    }

    private static Type[] Types() => [.. typeof(Trainer).Assembly.GetTypes().Where(IsOurs)];

    // The compiler adds types of its own, outside the project's namespaces.
    private static bool IsOurs(Type type) => type.Namespace?.StartsWith(Root, StringComparison.Ordinal) == true;

    private static string FolderOf(Type type) => Entry.Contains(type.DeclaringType ?? type) ? "entry"
        : type.Namespace!.Length > Root.Length ? type.Namespace[(Root.Length + 1)..] : "";

    private static int LayerOf(string folder) => Array.FindIndex(Layers, layer => layer.Contains(folder));
}
