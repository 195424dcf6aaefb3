using Cliper.Model.Clip;
using Cliper.Model.IO;
using Cliper.Model.Text;

namespace Cliper.Model.Prompts;

/// <summary>
/// CoOp's prompts (Zhou et al. 2022, arXiv 2109.01134): for each class start, n learned tokens and the class name in
/// their order, full stop, end. A class's feature is read at its end token; what stands behind it plays no part.
/// </summary>
/// <param name="Ids">Token ids [K][T], zeros behind the end; a stand-in where a learned vector goes.</param>
/// <param name="Slots">Positions of V1 .. Vn, [K][n].</param>
/// <param name="Ends">Position of each end token.</param>
internal sealed record ContextPrompts(int[][] Ids, int[][] Slots, int[] Ends)
{
    private const string StandIn = "x", FullStop = ".";

    /// <summary>The ids that every prompt has.</summary>
    /// <param name="Start">The start token.</param>
    /// <param name="StandIn">The stand-in for a learned vector.</param>
    /// <param name="FullStop">The full stop.</param>
    /// <param name="End">The end token.</param>
    public readonly record struct Marks(int Start, int StandIn, int FullStop, int End);

    /// <summary>Learned tokens of a prompt, n.</summary>
    public int Tokens => Slots[0].Length;

    /// <summary>Length T to which all prompts are filled.</summary>
    public int Length => Ids[0].Length;

    /// <summary>The prompts of named classes.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="names">Names of the classes, of any number of words; underscores count as blanks.</param>
    /// <param name="tokens">Learned tokens, n, at least 1.</param>
    /// <param name="position">Where the name stands.</param>
    /// <param name="contextLength">The longest text of the model.</param>
    /// <exception cref="SettingsException">A prompt is longer than the model takes, or a name is empty.</exception>
    public static ContextPrompts Create(ClipTokenizer tokenizer, IReadOnlyList<string> names, int tokens,
        NamePosition position, int contextLength)
    {
        int[][] ids = [.. names.Select(name => tokenizer.EncodeWords(name.Replace('_', ' ')))];
        for (int k = 0; k < ids.Length; k++)
            if (ids[k].Length == 0 || tokens + ids[k].Length + 3 > contextLength)
                throw new SettingsException($"the prompt of class {ForeignText.Quote(names[k])} takes "
                    + $"{tokens + ids[k].Length + 3} tokens, {tokens} of them learned; the model takes "
                    + $"{contextLength}, and a name has at least 1");
        return Create(ids, tokens, position, new Marks(tokenizer.Vocabulary.StartId,
            tokenizer.EncodeWords(StandIn)[0], tokenizer.EncodeWords(FullStop)[0], tokenizer.Vocabulary.EndId));
    }

    /// <summary>The prompts of classes whose names are given as token ids.</summary>
    /// <param name="names">Token ids of each name, [K][m_k].</param>
    /// <param name="tokens">Learned tokens, n.</param>
    /// <param name="position">Where the name stands.</param>
    /// <param name="marks">The other ids.</param>
    public static ContextPrompts Create(IReadOnlyList<int[]> names, int tokens, NamePosition position, Marks marks)
    {
        int length = 1 + tokens + names.Max(name => name.Length) + 2;
        int before = position switch { NamePosition.End => tokens, NamePosition.Middle => tokens / 2, _ => 0 };
        var ids = new int[names.Count][];
        var slots = new int[names.Count][];
        for (int k = 0; k < names.Count; k++)
        {
            int[] name = names[k];
            int[] text = [marks.Start, .. Enumerable.Repeat(marks.StandIn, before), .. name,
                .. Enumerable.Repeat(marks.StandIn, tokens - before), marks.FullStop, marks.End];
            ids[k] = [.. text, .. new int[length - text.Length]];
            slots[k] = [.. Enumerable.Range(0, tokens).Select(at => 1 + at + (at < before ? 0 : name.Length))];
        }
        return new ContextPrompts(ids, slots, [.. names.Select(name => 1 + tokens + name.Length + 1)]);
    }

    /// <summary>The fault that makes the prompts impossible for a model; null where they fit.</summary>
    /// <param name="config">The model.</param>
    /// <param name="classes">Number of its classes.</param>
    public string? FaultIn(ClipConfig config, int classes)
    {
        if (Ids?.Length != classes || Slots?.Length != classes || Ends?.Length != classes || classes == 0)
            return $"prompts of {Ids?.Length ?? 0} classes, the model has {classes}";
        int length = Ids[0]?.Length ?? 0, tokens = Slots[0]?.Length ?? 0;
        if (length == 0 || length > config.ContextLength || tokens == 0)
            return $"{length} ids with {tokens} slots, the model takes {config.ContextLength}";
        for (int k = 0; k < classes; k++)
        {
            if (Ids[k]?.Length != length || Slots[k]?.Length != tokens || Ends[k] < 0 || Ends[k] >= length)
                return $"prompt {k} of another length";
            if (Ids[k].FirstOrDefault(id => id < 0 || id >= config.VocabularySize) is not 0 and int id)
                return $"id {id}, the vocabulary has {config.VocabularySize}";
            if (Slots[k].Any(slot => slot < 0 || slot >= length) || Slots[k].Distinct().Count() != tokens)
                return $"slots {string.Join(", ", Slots[k])} among {length} ids";
        }
        return null;
    }
}
