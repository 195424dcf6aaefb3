using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Text;

namespace Cliper.Model.Prompts;

/// <summary>
/// The text around CLIPER's learned vectors: "&lt;start&gt; an ID photo of [V1] … [VL] . &lt;end&gt;" (arXiv
/// 2303.00193, section 3.2).
/// </summary>
/// <param name="Ids">All token ids; those of the slots are a stand-in whose embedding is replaced.</param>
/// <param name="SlotStart">Position of the first learned vector.</param>
/// <param name="Slots">Number of learned vectors, L.</param>
public sealed record DescriptorPrompt(int[] Ids, int SlotStart, int Slots)
{
    /// <summary>The paper's words before the learned vectors.</summary>
    public const string DefaultWords = "an ID photo of";

    private const string StandIn = "x", FullStop = ".";

    /// <summary>Position of the end token, where the text's feature is read.</summary>
    public int End => Ids.Length - 1;

    /// <summary>The prompt in a vocabulary's ids.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="slots">L, at least 1.</param>
    /// <param name="contextLength">The longest text of the model.</param>
    /// <param name="words">Text before the learned vectors.</param>
    /// <exception cref="SettingsException">The prompt is longer than the model takes.</exception>
    public static DescriptorPrompt Create(ClipTokenizer tokenizer, int slots, int contextLength,
        string words = DefaultWords)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slots, 1);
        int[] before = tokenizer.EncodeWords(words);
        int standIn = tokenizer.EncodeWords(StandIn)[0];
        int[] ids = [tokenizer.Vocabulary.StartId, .. before, .. Enumerable.Repeat(standIn, slots),
            .. tokenizer.EncodeWords(FullStop), tokenizer.Vocabulary.EndId];
        if (ids.Length > contextLength)
            throw new SettingsException($"descriptors of {slots} learned tokens after {ForeignText.Quote(words)} take "
                + $"{ids.Length} tokens, the model takes {contextLength}; take fewer");
        return new DescriptorPrompt(ids, 1 + before.Length, slots);
    }

    /// <summary>The fault that makes the prompt impossible for a model; null where it fits.</summary>
    /// <param name="config">The model.</param>
    public string? FaultIn(ClipConfig config)
    {
        if (Ids is null || Ids.Length > config.ContextLength)
            return $"{Ids?.Length ?? 0} ids, the model takes {config.ContextLength}";
        if (Slots < 1 || SlotStart < 0 || (long)SlotStart + Slots >= Ids.Length)
            return $"{Slots} slots from {SlotStart} among {Ids.Length} ids";
        foreach (int id in Ids)
            if (id < 0 || id >= config.VocabularySize)
                return $"id {id}, the vocabulary has {config.VocabularySize}";
        return null;
    }
}
