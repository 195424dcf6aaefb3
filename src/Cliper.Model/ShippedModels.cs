namespace Cliper.Model;

/// <summary>A model of expressions that comes with the program.</summary>
/// <param name="Name">Its name on the command line.</param>
/// <param name="Path">The checkpoint.</param>
/// <param name="ClipPath">The CLIP that it was trained from, its vocabulary in the metadata.</param>
/// <param name="IsOfCrops">Whether it has learned from pictures in which a detector has nothing to look for.</param>
/// <param name="Note">For readers of its answers; may be empty.</param>
public sealed record ShippedModel(string Name, string Path, string ClipPath, bool IsOfCrops, string Note)
{
    /// <summary>Whether its file is there.</summary>
    public bool IsThere => File.Exists(Path);
}

/// <summary>
/// The small models that come with the program, in models/ beside it, see models/README.md. The one of drawn faces is
/// the demo's, which runs with nothing downloaded, and no use on photographs.
/// </summary>
public static class ShippedModels
{
    /// <summary>The model of photographs.</summary>
    public static ShippedModel Photographs { get; } = new("photographs", PathOf("photographs.safetensors"),
        PathOf("photographs-clip.safetensors"), IsOfCrops: false, "");

    /// <summary>CLIPER as the demo trains it from the CLIP of drawn faces.</summary>
    public static ShippedModel DrawnFaces { get; } = new("drawn-faces", PathOf("faces-cliper.safetensors"),
        PathOf("faces-clip.safetensors"), IsOfCrops: true, "trained on drawn faces only: of no use on photographs");

    /// <summary>The models by the order in which they answer where none is named.</summary>
    public static IReadOnlyList<ShippedModel> All { get; } = [Photographs, DrawnFaces];

    /// <summary>The model that answers where none is named: the first of <see cref="All"/> that is there.</summary>
    public static ShippedModel Default => All.FirstOrDefault(model => model.IsThere) ?? DrawnFaces;

    /// <summary>The pre-trained CLIP of drawn faces.</summary>
    public static string Clip => DrawnFaces.ClipPath;

    /// <summary>The checkpoint of <see cref="DrawnFaces"/>.</summary>
    public static string Cliper => DrawnFaces.Path;

    /// <summary>The face detector.</summary>
    public static string FaceDetector => PathOf("blazeface.safetensors");

    /// <summary>The model of a name; null where no model has it.</summary>
    /// <exception cref="InputException">It is not part of this build.</exception>
    public static ShippedModel? Find(string name)
    {
        ShippedModel? found = All.FirstOrDefault(model => model.Name == name);
        return found is null or { IsThere: true } ? found
            : throw new InputException($"{name}: the model is not part of this build ({found.Path} is missing)");
    }

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "models", name);
}
