using Cliper.Model.Clip;

namespace Cliper.Model.Export;

/// <summary>CLIP's vision transformer as nodes: see <see cref="VisionTransformer"/>.</summary>
/// <param name="graph">The graph that gets them.</param>
/// <param name="config">The model's shape.</param>
/// <param name="layers">Writes the layers.</param>
internal sealed class OnnxVisionTransformer(OnnxGraph graph, ClipConfig config, OnnxLayers layers)
{
    /// <summary>Normalized pixels [N, 3, size, size] to features [N, D], not normalized.</summary>
    /// <param name="pixels">The pixels.</param>
    /// <param name="firstAlone">Whether the last block computes the class token alone, the only one that is
    /// read.</param>
    public string Features(string pixels, bool firstAlone = true)
    {
        int patch = config.PatchSize, width = config.VisionWidth, tokens = config.Patches + 1;
        string x = graph.Node("Conv", [pixels, layers.Weight("visual.conv1.weight", width, 3, patch, patch)], "",
            ("kernel_shape", new[] { patch, patch }), ("strides", new[] { patch, patch }));
        x = graph.Node("Reshape", [x, graph.Integers(0, width, config.Patches)]);
        x = graph.Transpose(x, 0, 2, 1);
        string count = graph.Node("Slice", [graph.Node("Shape", [pixels]), graph.Integers(0), graph.Integers(1)]);
        string classShape = graph.Node("Concat", [count, graph.Integers(1, width)], "", ("axis", 0));
        string token = graph.Node("Expand", [layers.Weight("visual.class_embedding", width), classShape]);
        x = graph.Node("Concat", [token, x], "", ("axis", 1));
        x = layers.Add(x, layers.Weight("visual.positional_embedding", tokens, width));
        x = layers.Norm(x, "visual.ln_pre", width);
        x = layers.Blocks(x, "visual.transformer.resblocks.", config.VisionLayers,
            new OnnxBlockSizes(tokens, width, config.VisionHidden, config.VisionHeads), firstAlone);
        x = graph.Node("Gather", [x, graph.Integer(0)], "", ("axis", 1));
        return graph.Node("MatMul", [layers.Norm(x, "visual.ln_post", width),
            layers.Weight("visual.proj", width, config.EmbedSize)]);
    }
}
