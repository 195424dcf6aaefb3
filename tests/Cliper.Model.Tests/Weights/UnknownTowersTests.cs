using Cliper.Model.Weights;

namespace Cliper.Model.Tests.Weights;

/// <summary>Names of tensors of models that are no CLIP of this program's kind, as their files have them.</summary>
public sealed class UnknownTowersTests : TemporaryFolder
{
    [TestCase("SigLIP", "logit_bias", "visual.trunk.attn_pool.latent", "visual.trunk.blocks.0.norm1.weight",
        "text.transformer.resblocks.0.ln_1.weight", "text.token_embedding.weight")]
    [TestCase("SigLIP", "logit_bias", "vision_model.head.attention.in_proj_weight",
        "vision_model.embeddings.patch_embedding.weight", "text_model.embeddings.token_embedding.weight")]
    [TestCase("EVA", "visual.trunk.cls_token", "visual.trunk.blocks.0.attn.q_proj.weight",
        "text.transformer.resblocks.0.ln_1.weight")]
    [TestCase("EVA", "visual.cls_token", "visual.blocks.0.attn.q_bias", "text.transformer.resblocks.0.ln_1.weight")]
    [TestCase("ConvNeXt", "visual.trunk.stem.0.weight", "visual.trunk.stages.0.blocks.0.gamma",
        "token_embedding.weight")]
    [TestCase("timm", "visual.trunk.conv_stem.weight", "text.transformer.resblocks.0.ln_1.weight")]
    [TestCase("CoCa", "visual.conv1.weight", "visual.attn_pool.query", "text.cls_emb",
        "text_decoder.resblocks.0.ln_1.weight")]
    [TestCase("XLM-RoBERTa", "visual.conv1.weight", "visual.class_embedding",
        "text.transformer.embeddings.word_embeddings.weight", "text.proj.0.weight")]
    [TestCase("mT5", "visual.conv1.weight", "text.transformer.encoder.block.0.layer.0.SelfAttention.q.weight")]
    [TestCase("AltCLIP", "vision_model.embeddings.patch_embedding.weight",
        "text_model.roberta.embeddings.word_embeddings.weight")]
    [TestCase("the image tower of a CLIP alone (3 tensors", "visual.conv1.weight", "visual.class_embedding",
        "visual.proj")]
    [TestCase("the image tower of a CLIP alone", "conv1.weight", "class_embedding",
        "transformer.resblocks.0.ln_1.weight")]
    [TestCase("the image tower of a CLIP alone", "vision_model.embeddings.patch_embedding.weight",
        "visual_projection.weight")]
    [TestCase("the image tower of a CLIP alone", "module.visual.conv1.weight", "module.visual.class_embedding")]
    [TestCase("the text tower of a CLIP alone", "text_model.embeddings.token_embedding.weight",
        "text_projection.weight")]
    [TestCase("the text tower of a CLIP alone", "model.token_embedding.weight",
        "model.transformer.resblocks.0.ln_1.weight")]
    public void AreRefusedByName(string says, params string[] names)
    {
        var writer = new SafeTensorsWriter();
        foreach (string name in names)
            writer.Add(name, [1], new float[1]);
        writer.Write(In("x"));

        Assert.That(() => ClipWeights.Load(In("x")), Throws.TypeOf<InputException>().With.Message.Contains(says)
            .And.Message.StartsWith(In("x")));
    }
}
