using System.Text.Json;
using Cliper.Kernels.Operations;
using Cliper.Model.Clip;
using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>
/// open_clip_config.json, which stands beside OpenCLIP's weights: {"model_cfg": {…}, "preprocess_cfg": {…}}.
/// An entry that it leaves out has OpenCLIP's default: GELU, heads of 64, 8 heads of the text tower,
/// OpenAI's normalization.
/// </summary>
internal static class OpenClipConfig
{
    private const string FileName = "open_clip_config.json";
    private const long LongestFile = 1_000_000;

    /// <summary>Settings of a vision tower that make another network of the same tensors, or of others.</summary>
    private static readonly (string Key, string Kind)[] VisionFlags =
    [
        ("timm_model_name", "an image tower of timm"), ("attentional_pool", "attentional pooling (CoCa's)"),
        ("no_ln_pre", "no LayerNorm before the image tower's blocks (CLIPA's)"),
        ("final_ln_after_pool", "the image tower's last LayerNorm after the pooling"),
        ("global_average_pool", "average pooling"), ("input_patchnorm", "a LayerNorm of patches"),
        ("ls_init_value", "LayerScale"), ("qk_norm", "normalized queries and keys"),
        ("act_kwargs", "another form of its activation"),
    ];

    private static readonly (string Key, string Kind)[] TextFlags =
    [
        ("hf_model_name", "a text tower of Hugging Face's transformers, such as XLM-RoBERTa or mT5"),
        ("embed_cls", "a class token in its text tower (CoCa's)"),
        ("no_causal_mask", "a text tower that is not causal (CLIPA's)"), ("proj_bias", "a biased text projection"),
        ("ls_init_value", "LayerScale"), ("qk_norm", "normalized queries and keys"),
        ("act_kwargs", "another form of its activation"),
    ];

    /// <summary>Path of the file in a folder; it need not exist.</summary>
    public static string PathIn(string folder) => Path.Combine(folder, FileName);

    /// <summary>Reads all facts.</summary>
    /// <param name="path">The file.</param>
    /// <param name="shape">The model's shape as its tensors have it; heads are not used.</param>
    /// <param name="warnings">Receives steps of the preprocessing that this program takes otherwise.</param>
    /// <exception cref="InputException">The file is damaged, of another kind of model, or contradicts the
    /// tensors.</exception>
    public static ClipFacts Read(string path, ClipConfig shape, ICollection<string> warnings)
    {
        using JsonDocument document = JsonInput.Read(path, LongestFile);
        var root = new JsonSection(path, "", document.RootElement);
        // The files of OpenCLIP's own model_configs hold the model alone.
        JsonSection model = root.Find("vision_cfg", out _) ? root : root.Below("model_cfg");
        if (model.Find("multimodal_cfg", out _))
            throw model.NotRun("multimodal_cfg", "a decoder of captions (CoCa)");
        if (model.Find("init_logit_bias", out _))
            throw model.NotRun("init_logit_bias", "a bias of its logits (SigLIP's loss)");
        JsonSection vision = model.Below("vision_cfg"), text = model.Below("text_cfg");
        model.Check("embed_dim", shape.EmbedSize);
        float epsilon = EpsilonOf(vision);
        if (EpsilonOf(text) != epsilon)
            throw text.Wrong("norm_kwargs", $"the image tower's epsilon {epsilon}", $"{EpsilonOf(text)}");
        JsonSection preprocess = root.Below("preprocess_cfg");
        CheckPreprocessing(preprocess, shape, warnings);
        return new ClipFacts
        {
            VisionHeads = ReadVision(vision, shape),
            TextHeads = ReadText(text, shape),
            Activation = model.Flag("quick_gelu") ? Activation.QuickGelu : Activation.Gelu,
            LayerNormEpsilon = epsilon,
            Mean = preprocess.Channels("mean") ?? ClipConfig.ClipMean,
            Std = preprocess.Channels("std") ?? ClipConfig.ClipStd,
        };
    }

    /// <summary>Compares the image tower with the tensors; its heads.</summary>
    private static int ReadVision(JsonSection vision, ClipConfig shape)
    {
        Refuse(vision, VisionFlags);
        Refuse(vision, "pool_type", "tok", "pooling");
        Refuse(vision, "pos_embed_type", "learnable", "position embedding");
        vision.CheckSide("image_size", shape.ImageSize);
        vision.Check("width", shape.VisionWidth);
        if (shape.ResNetBlocks is { } blocks)
            CheckBlocks(vision, blocks);
        else
        {
            vision.Check("layers", shape.VisionLayers);
            vision.Check("patch_size", shape.PatchSize);
            CheckHidden(vision, shape.VisionWidth, shape.VisionHidden);
        }
        int width = shape.IsResNet ? shape.ResNetWidth : shape.VisionWidth,
            headWidth = vision.Whole("head_width") ?? ClipConfig.UsualHeadWidth;
        return headWidth > 0 && width >= headWidth ? width / headWidth
            : throw vision.Wrong("head_width", $"a part of the width {width}", headWidth.ToString());
    }

    private static void CheckBlocks(JsonSection vision, StageBlocks blocks)
    {
        if (!vision.Find("layers", out JsonElement layers))
            return;
        if (layers.ValueKind != JsonValueKind.Array || layers.GetRawText().Replace(" ", "").Replace("\n", "")
            != $"[{blocks.First},{blocks.Second},{blocks.Third},{blocks.Fourth}]")
            throw vision.Wrong("layers", $"the stages' {blocks} blocks as the tensors have them",
                ForeignText.Quote(layers.GetRawText()));
    }

    /// <summary>Compares the text tower with the tensors; its heads.</summary>
    private static int ReadText(JsonSection text, ClipConfig shape)
    {
        Refuse(text, TextFlags);
        // The end token has the largest id, so that its place is that of the largest.
        if (text.Text("pool_type") is not (null or "argmax" or "eos"))
            throw text.NotRun("pool_type", $"another pooling of its texts ({text.Text("pool_type")})");
        Refuse(text, "proj_type", "linear", "text projection");
        Refuse(text, "proj", "linear", "text projection");
        text.Check("context_length", shape.ContextLength);
        text.Check("vocab_size", shape.VocabularySize);
        text.Check("width", shape.TextWidth);
        text.Check("layers", shape.TextLayers);
        CheckHidden(text, shape.TextWidth, shape.TextHidden);
        return text.Whole("heads") ?? 8;
    }

    private static void CheckHidden(JsonSection tower, int width, int hidden)
    {
        // OpenCLIP cuts the product's fraction off.
        if (tower.Number("mlp_ratio") is { } ratio && (int)((double)ratio * width) != hidden)
            throw tower.Wrong("mlp_ratio", $"{hidden}/{width} as the tensors have it", $"{ratio}");
    }

    private static float EpsilonOf(JsonSection tower) =>
        tower.Below("norm_kwargs").Number("eps") ?? LayerNorm.DefaultEpsilon;

    private static void CheckPreprocessing(JsonSection preprocess, ClipConfig shape, ICollection<string> warnings)
    {
        preprocess.CheckSide("size", shape.ImageSize);
        if (preprocess.Text("interpolation") is { } filter and not ("bicubic" or "random"))
            warnings.Add($"{preprocess.Path}: interpolation is {ForeignText.Quote(filter)}, and pictures are resized "
                + "here by bicubic interpolation");
        if (preprocess.Text("resize_mode") is { } mode and not "shortest")
            warnings.Add($"{preprocess.Path}: resize_mode is {ForeignText.Quote(mode)}, and of pictures that are not "
                + "square the center is taken here");
    }

    private static void Refuse(JsonSection tower, (string Key, string Kind)[] flags)
    {
        foreach ((string key, string kind) in flags)
            if (tower.Find(key, out JsonElement value) && value.ValueKind != JsonValueKind.False
                && value.GetRawText() is not ("{}" or "\"\""))
                throw tower.NotRun(key, kind);
    }

    private static void Refuse(JsonSection tower, string key, string usual, string what)
    {
        if (tower.Text(key) is { } found && found != usual)
            throw tower.NotRun(key, $"another {what} ({ForeignText.Quote(found)})");
    }
}
