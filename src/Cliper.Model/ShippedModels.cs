namespace Cliper.Model;

/// <summary>
/// The small models that come with the program, in models/ beside it: trained on faces that the program draws, so that it
/// runs with nothing downloaded. They are no use on photographs.
/// </summary>
public static class ShippedModels
{
    /// <summary>The pre-trained CLIP of drawn faces, its vocabulary in the metadata.</summary>
    public static string Clip => PathOf("faces-clip.safetensors");

    /// <summary>CLIPER as the demo trains it from that CLIP; what predicts when no checkpoint is given.</summary>
    public static string Cliper => PathOf("faces-cliper.safetensors");

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, "models", name);
}
