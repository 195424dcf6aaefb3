using Cliper.Autograd;
using Cliper.Model.Clip;

namespace Cliper.Model.Weights;

/// <summary>Whose names and layouts a file of CLIP weights uses.</summary>
public enum ClipNaming
{
    /// <summary>OpenAI's: visual.conv1.weight, transformer.resblocks.0.attn.in_proj_weight, …</summary>
    OpenAI,

    /// <summary>Hugging Face's: vision_model.embeddings.patch_embedding.weight, …; queries, keys and values apart,
    /// projections transposed.</summary>
    HuggingFace,
}

/// <summary>Names and shapes of CLIP's tensors, and where each is in a file of either naming.</summary>
internal static class ClipTensors
{
    public const string VisionBlocks = "visual.transformer.resblocks.";
    public const string TextBlocks = "transformer.resblocks.";

    private const string VisionLayers = "vision_model.encoder.layers.";
    private const string TextLayers = "text_model.encoder.layers.";

    /// <summary>
    /// Where a tensor of OpenAI's naming is in a file: one name, or three whose rows follow each other (queries, keys,
    /// values), and whether rows and columns are exchanged.
    /// </summary>
    public readonly record struct Place(string[] Names, bool Transposed);

    /// <summary>All tensors of a model in OpenAI's naming, in the order of the computation.</summary>
    public static IEnumerable<(string Name, Shape Shape)> List(ClipConfig config)
    {
        int text = config.TextWidth, embed = config.EmbedSize;
        foreach ((string, Shape) tensor in config.IsResNet ? ResNetTensors.List(config) : VisionTransformer(config))
            yield return tensor;
        yield return ("token_embedding.weight", new Shape(config.VocabularySize, text));
        yield return ("positional_embedding", new Shape(config.ContextLength, text));
        foreach ((string, Shape) tensor in Blocks(TextBlocks, config.TextLayers, text, config.TextHidden))
            yield return tensor;
        foreach ((string, Shape) norm in Norm("ln_final", text))
            yield return norm;
        yield return ("text_projection", new Shape(text, embed));
        yield return ("logit_scale", new Shape([]));
    }

    private static IEnumerable<(string, Shape)> VisionTransformer(ClipConfig config)
    {
        int vision = config.VisionWidth;
        yield return ("visual.conv1.weight", new Shape(vision, 3, config.PatchSize, config.PatchSize));
        yield return ("visual.class_embedding", new Shape(vision));
        yield return ("visual.positional_embedding", new Shape(config.Patches + 1, vision));
        foreach ((string, Shape) norm in Norm("visual.ln_pre", vision))
            yield return norm;
        foreach ((string, Shape) tensor in Blocks(VisionBlocks, config.VisionLayers, vision,
            config.VisionHidden))
            yield return tensor;
        foreach ((string, Shape) norm in Norm("visual.ln_post", vision))
            yield return norm;
        yield return ("visual.proj", new Shape(vision, config.EmbedSize));
    }

    private static IEnumerable<(string, Shape)> Blocks(string prefix, int layers, int width, int hidden)
    {
        for (int layer = 0; layer < layers; layer++)
        {
            string block = $"{prefix}{layer}.";
            foreach ((string, Shape) norm in Norm(block + "ln_1", width))
                yield return norm;
            yield return (block + "attn.in_proj_weight", new Shape(3 * width, width));
            yield return (block + "attn.in_proj_bias", new Shape(3 * width));
            yield return (block + "attn.out_proj.weight", new Shape(width, width));
            yield return (block + "attn.out_proj.bias", new Shape(width));
            foreach ((string, Shape) norm in Norm(block + "ln_2", width))
                yield return norm;
            yield return (block + "mlp.c_fc.weight", new Shape(hidden, width));
            yield return (block + "mlp.c_fc.bias", new Shape(hidden));
            yield return (block + "mlp.c_proj.weight", new Shape(width, hidden));
            yield return (block + "mlp.c_proj.bias", new Shape(width));
        }
    }

    private static (string, Shape)[] Norm(string name, int width) =>
        [(name + ".weight", new Shape(width)), (name + ".bias", new Shape(width))];

    /// <summary>Where the tensor <paramref name="name"/> (OpenAI's) is in a file.</summary>
    public static Place Find(string name, ClipNaming naming)
    {
        if (naming == ClipNaming.OpenAI)
            return new Place([name], false);
        if (name.StartsWith(VisionBlocks, StringComparison.Ordinal))
            return FindInBlock(VisionLayers, name[VisionBlocks.Length..]);
        if (name.StartsWith(TextBlocks, StringComparison.Ordinal))
            return FindInBlock(TextLayers, name[TextBlocks.Length..]);
        return name switch
        {
            "visual.conv1.weight" => One("vision_model.embeddings.patch_embedding.weight"),
            "visual.class_embedding" => One("vision_model.embeddings.class_embedding"),
            "visual.positional_embedding" => One("vision_model.embeddings.position_embedding.weight"),
            // The missing letter is Hugging Face's.
            "visual.ln_pre.weight" => One("vision_model.pre_layrnorm.weight"),
            "visual.ln_pre.bias" => One("vision_model.pre_layrnorm.bias"),
            "visual.ln_post.weight" => One("vision_model.post_layernorm.weight"),
            "visual.ln_post.bias" => One("vision_model.post_layernorm.bias"),
            "visual.proj" => new Place(["visual_projection.weight"], true),
            "token_embedding.weight" => One("text_model.embeddings.token_embedding.weight"),
            "positional_embedding" => One("text_model.embeddings.position_embedding.weight"),
            "ln_final.weight" => One("text_model.final_layer_norm.weight"),
            "ln_final.bias" => One("text_model.final_layer_norm.bias"),
            "text_projection" => new Place(["text_projection.weight"], true),
            _ => One(name),
        };
    }

    // One tensor of OpenAI's holds all three, in this order.
    private static readonly string[] Projections = ["q", "k", "v"];

    private static Place FindInBlock(string prefix, string layerAndName)
    {
        int dot = layerAndName.IndexOf('.');
        string layer = prefix + layerAndName[..(dot + 1)], name = layerAndName[(dot + 1)..];
        if (name.StartsWith("attn.in_proj_", StringComparison.Ordinal))
        {
            string kind = name["attn.in_proj_".Length..];
            string[] parts = [.. Projections.Select(part => $"{layer}self_attn.{part}_proj.{kind}")];
            return new Place(parts, false);
        }
        return One(layer + name.Replace("attn.", "self_attn.").Replace("ln_1", "layer_norm1")
            .Replace("ln_2", "layer_norm2").Replace("c_fc", "fc1").Replace("c_proj", "fc2"));
    }

    private static Place One(string name) => new([name], false);

    /// <summary>How the names of the blocks begin in a file: the image tower's, then the text tower's.</summary>
    public static (string Vision, string Text) BlockPrefixes(ClipNaming naming) =>
        naming == ClipNaming.OpenAI ? (VisionBlocks, TextBlocks) : (VisionLayers, TextLayers);

    /// <summary>Integers that files carry beside the weights: the shapes say them again, or nothing reads
    /// them.</summary>
    public static bool IsRedundant(string name) => ResNetTensors.IsCounter(name)
        || name is "input_resolution" or "context_length" or "vocab_size"
        // The causal mask, which older files of OpenCLIP hold.
        or "attn_mask" or "text.attn_mask"
        or "vision_model.embeddings.position_ids" or "text_model.embeddings.position_ids";
}
