namespace Cliper.Benchmarks.Peers;

/// <summary>One tower of CLIP: an image tower with 768 wide tokens, or the text tower with 512.</summary>
/// <param name="Patch">Side of a patch of an image tower; 0 for the text tower.</param>
/// <param name="Tokens">Rows of a sample.</param>
/// <param name="Width">Elements of a row.</param>
/// <param name="Heads">Attention heads.</param>
internal sealed record ClipShape(int Patch, int Tokens, int Width, int Heads)
{
    public const int Layers = 12;
    public const int Features = 512;
    public const int ImageSize = 224;
    public const int Vocabulary = 49408;
    public const int Context = 77;

    /// <summary>ViT-B with patches of the given side.</summary>
    public static ClipShape Image(int patch) => new(patch, (ImageSize / patch) * (ImageSize / patch) + 1, 768, 12);

    /// <summary>The text tower on texts of the given length.</summary>
    public static ClipShape Text(int tokens) => new(0, tokens, 512, 8);

    /// <summary>Whether it is the text tower.</summary>
    public bool IsText => Patch == 0;

    /// <summary>Name prefix of the blocks, in OpenAI's naming.</summary>
    public string Blocks => IsText ? "transformer.resblocks." : "visual.transformer.resblocks.";

    /// <summary>
    /// Arithmetic of one sample when all tokens pass all blocks, 1e9 operations: linear layers, attention, patches,
    /// projection.
    /// </summary>
    public double Gflop => 1e-9 * (Layers * (2.0 * Tokens * 12 * Width * Width + 4.0 * Tokens * Tokens * Width)
        + 2.0 * (Tokens - 1) * 3 * Patch * Patch * Width + 2.0 * Width * Features);
}
