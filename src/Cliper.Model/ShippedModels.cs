namespace Cliper.Model;

/// <summary>
/// The small models that come with the program, in models/ beside it. Those of expressions are trained on faces that
/// the program draws, so that it runs with nothing downloaded, and are no use on photographs; the face detector is.
/// </summary>
public static class ShippedModels
{
    /// <summary>The pre-trained CLIP of drawn faces, its vocabulary in the metadata.</summary>
    public static string Clip => PathOf("faces-clip.safetensors");

    /// <summary>CLIPER as the demo trains it from that CLIP; what predicts when no checkpoint is given.</summary>
    public static string Cliper => PathOf("faces-cliper.safetensors");

    /// <summary>The face detector, see models/README.md.</summary>
    public static string FaceDetector => PathOf("blazeface.safetensors");

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "models", name);
}
