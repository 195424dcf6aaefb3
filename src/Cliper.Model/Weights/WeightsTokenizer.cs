using Cliper.Model.IO;
using Cliper.Model.Text;

namespace Cliper.Model.Weights;

/// <summary>Finds the tokenizer that weights were trained with.</summary>
public static class WeightsTokenizer
{
    /// <summary>Where a run keeps the vocabulary, from the folder of its checkpoints.</summary>
    private static readonly string BesideCheckpoints = Path.Combine("..", "tokenizer");

    /// <summary>
    /// The tokenizer that belongs to weights: the one that is named, else the one in the weights' metadata, else the
    /// one in their folder, else that of the run whose checkpoint they are.
    /// </summary>
    /// <param name="weights">The opened weights.</param>
    /// <param name="weightsPath">The file or folder they were opened from.</param>
    /// <param name="tokenizerPath">A tokenizer that the user names, or null.</param>
    /// <exception cref="InputException">There is none, it is damaged, or it has another number of tokens than the
    /// weights.</exception>
    public static ClipTokenizer For(ClipWeights weights, string weightsPath, string? tokenizerPath = null)
    {
        string folder = FolderOf(weightsPath);
        BpeVocabulary vocabulary = tokenizerPath is not null ? BpeVocabulary.Load(tokenizerPath)
            : Find(weights.Metadata, weightsPath)
            ?? throw new InputException($"{weightsPath}: no tokenizer in the weights' metadata or folder: put OpenAI's "
                + $"{BpeVocabulary.OpenAIName}, or {BpeVocabulary.VocabularyName} and {BpeVocabulary.MergesName}, "
                + "beside them, or name one");
        if (vocabulary.Count != weights.Config.VocabularySize)
            throw new InputException($"{tokenizerPath ?? folder}: the tokenizer has {vocabulary.Count} tokens, "
                + "expected "
                + $"{weights.Config.VocabularySize} as the weights {weightsPath} have; use the tokenizer that the "
                + "weights were trained with");
        return new ClipTokenizer(vocabulary);
    }

    /// <summary>The vocabulary in weights' metadata, in their folder or in that of their run; null where there is
    /// none.</summary>
    /// <param name="metadata">Metadata of the weights.</param>
    /// <param name="weightsPath">The file or folder they were opened from.</param>
    /// <exception cref="InputException">It is damaged.</exception>
    internal static BpeVocabulary? Find(IReadOnlyDictionary<string, string> metadata, string weightsPath)
    {
        string folder = FolderOf(weightsPath);
        return BpeVocabulary.FromMetadata(metadata, weightsPath) ?? BpeVocabulary.LoadFolder(folder)
            ?? BpeVocabulary.LoadFolder(Path.Combine(folder, BesideCheckpoints));
    }

    private static string FolderOf(string weightsPath)
    {
        string found = WeightsPath.Find(weightsPath);
        return Directory.Exists(found) ? found : Path.GetDirectoryName(Path.GetFullPath(found))!;
    }
}
