using Cliper.Model.IO;

namespace Cliper.Model.Weights;

/// <summary>Says what a file of tensors is that is not a whole CLIP of this program's kind: a related model, or one
/// tower alone.</summary>
internal static class UnknownTowers
{
    /// <summary>A part of a name, which begins after a dot or at the name's beginning, and the model that has
    /// it.</summary>
    private static readonly (string Part, string Model)[] Marks =
    [
        ("text_decoder.", "CoCa, which has a decoder of captions"),
        ("visual.attn_pool", "a CLIP with attentional pooling, such as CoCa"),
        ("visual.trunk.attn_pool", "SigLIP, in OpenCLIP's names"),
        ("vision_model.head.", "SigLIP, in Hugging Face's names"),
        ("logit_bias", "a model trained with SigLIP's loss, whose logits have a bias"),
        ("visual.trunk.stages.", "a CLIP with timm's ConvNeXt or a hybrid as its image tower"),
        ("visual.trunk.rope", "EVA-02, whose positions rotate"),
        ("visual.trunk.cls_token", "EVA-CLIP, or another CLIP with timm's vision transformer"),
        ("visual.trunk.", "a CLIP with an image tower of timm"),
        ("visual.blocks.", "EVA-CLIP, in its authors' names"),
        ("text.transformer.encoder.block.", "a CLIP with mT5 as its text tower"),
        ("text.transformer.embeddings.", "a CLIP with BERT or XLM-RoBERTa as its text tower"),
        ("text.transformer.", "a CLIP with a text tower of Hugging Face's transformers"),
        ("text_model.roberta.", "AltCLIP, whose text tower is XLM-RoBERTa"),
        ("text_model.embeddings.word_embeddings", "Chinese-CLIP or BLIP, whose text tower is BERT"),
        ("bert.embeddings.", "Chinese-CLIP or another model whose text tower is BERT"),
        ("text_encoder.", "a model with another text tower, such as BLIP"),
        ("positional_embedding_res", "Long-CLIP, in its authors' names"),
        ("ls_1.gamma", "a CLIP with LayerScale"),
        ("visual.ln_patch", "a CLIP with a LayerNorm of patches"),
    ];

    /// <summary>Names that only one tower has, and which it is; a file with one tensor missing still has
    /// others.</summary>
    private static readonly (string Part, bool IsImage)[] Towers =
    [
        ("class_embedding", true), ("attnpool.", true), ("vision_model.", true), ("visual.proj", true),
        ("embeddings.patch_embedding.weight", true), ("token_embedding.weight", false), ("ln_final.", false),
        ("text_projection", false), ("text_model.", false), ("embeddings.token_embedding.weight", false),
    ];

    /// <summary>A clause that says what the tensors are; null where that is not known.</summary>
    /// <param name="names">Names of all tensors.</param>
    public static string? Describe(IReadOnlyCollection<string> names)
    {
        foreach ((string part, string model) in Marks)
            if (Find(names, part) is { } found && !IsCustomText(names, part))
                return $"this is {model} ({ForeignText.Quote(found)}), which this program does not run";
        string? image = Of(isImage: true), text = Of(isImage: false);
        return (image, text) switch
        {
            ({ } one, null) => Alone("image", "text", one),
            (null, { } one) => Alone("text", "image", one),
            _ => null,
        };

        string? Of(bool isImage) => Towers.Where(tower => tower.IsImage == isImage)
            .Select(tower => Find(names, tower.Part)).FirstOrDefault(found => found is not null);

        string Alone(string tower, string other, string found) =>
            $"the file holds the {tower} tower of a CLIP alone ({names.Count} tensors such as "
            + $"{ForeignText.Quote(found)}), and its {other} tower is missing: give the file of the whole model";
    }

    /// <summary>OpenCLIP's own text tower may stand under "text." too, with the blocks that a CLIP has.</summary>
    private static bool IsCustomText(IReadOnlyCollection<string> names, string part) =>
        part == "text.transformer." && Find(names, "text." + ClipTensors.TextBlocks) is not null;

    private static string? Find(IReadOnlyCollection<string> names, string part) => names.FirstOrDefault(name =>
        name.IndexOf(part, StringComparison.Ordinal) is var at and >= 0 && (at == 0 || name[at - 1] == '.'));
}
