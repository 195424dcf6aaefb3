using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>The file or folder that is meant where weights are asked for.</summary>
internal static class WeightsPath
{
    /// <summary>
    /// Resolves <paramref name="path"/>: a run's folder of this program becomes its model; the name of a model that
    /// comes with the program the CLIP that it was trained from; a model's name at Hugging Face its folder in the local
    /// cache. Any other file or folder stays as it is.
    /// </summary>
    /// <exception cref="InputException">A run's folder without a model, or a name of nothing that is there.</exception>
    public static string Find(string path) =>
        Directory.Exists(Path.Combine(path, CheckpointFiles.FolderName)) ? CheckpointFiles.Find(path)
            : !Path.Exists(path) && ShippedModels.Find(path) is { } shipped ? ClipOf(shipped)
            : HuggingFaceCache.Find(path);

    private static string ClipOf(ShippedModel shipped) => File.Exists(shipped.ClipPath) ? shipped.ClipPath
        : throw new InputException($"{shipped.Name}: the CLIP that this model was trained from does not come with the "
            + $"program ({shipped.ClipPath} is missing); name the file of other weights");
}
