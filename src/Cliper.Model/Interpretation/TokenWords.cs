using System.Numerics.Tensors;
using Cliper.Kernels.Operations;
using Cliper.Model.Prompts;
using Cliper.Model.Text;

namespace Cliper.Model.Interpretation;

/// <summary>A learned token and the vocabulary around it: a line of the paper's Table VI.</summary>
/// <param name="Class">The class's index.</param>
/// <param name="Descriptor">The descriptor in its class, m, from 0.</param>
/// <param name="Token">The token in its descriptor, l, from 0.</param>
/// <param name="Tokens">The nearest of all tokens, nearest first.</param>
/// <param name="Words">The nearest of the whole words of three letters or more.</param>
internal sealed record TokenWords(int Class, int Descriptor, int Token, IReadOnlyList<NearestWord> Tokens,
    IReadOnlyList<NearestWord> Words)
{
    /// <summary>Length of the learned vector.</summary>
    public required float Norm { get; init; }

    /// <summary>Mean distance of the vector to all tokens.</summary>
    public required double MeanDistance { get; init; }

    /// <summary>
    /// The control: how far the nearest of all tokens is from a random vector of the same length. A learned vector
    /// whose nearest token is no nearer says nothing by it.
    /// </summary>
    public required float RandomDistance { get; init; }

    /// <summary>Finds the words of every learned token of a model.</summary>
    /// <param name="model">A model whose prompts are METD; others have no such tokens.</param>
    /// <param name="vocabulary">The vocabulary of its text tower.</param>
    /// <param name="count">Words of each kind wanted.</param>
    /// <param name="seed">Seed of the random vectors.</param>
    /// <returns>By class, descriptor and token; empty for another method.</returns>
    public static IReadOnlyList<TokenWords> Of(CliperModel model, BpeVocabulary vocabulary, int count, ulong seed = 0)
    {
        if (model.Prompts is not Metd metd)
            return [];
        int width = model.Clip.Config.TextWidth, prompts = metd.PromptsPerClass * metd.Tokens;
        float[] table = model.Clip.Parameters["token_embedding.weight"].ToArray(), vectors = metd.Vectors.ToArray();
        IReadOnlyList<IReadOnlyList<NearestWord>> tokens = NearestWords.Find(table, width, vectors, Text, count),
            words = NearestWords.Find(table, width, vectors, Text, count, id => IsWord(vocabulary.Tokens[id]));
        float[] random = RandomLike(vectors, width, seed);
        IReadOnlyList<IReadOnlyList<NearestWord>> control = NearestWords.Find(table, width, random, Text, count: 1);
        return
        [
            .. Enumerable.Range(0, vectors.Length / width).Select(row => new TokenWords(row / prompts,
                row % prompts / metd.Tokens, row % metd.Tokens, tokens[row], words[row])
            {
                Norm = TensorPrimitives.Norm(vectors.AsSpan(row * width, width)),
                MeanDistance = MeanDistanceOf(table, vectors.AsSpan(row * width, width)),
                RandomDistance = control[row].Count > 0 ? control[row][0].Distance : float.NaN,
            }),
        ];

        string Text(int id) => TextOf(vocabulary.Tokens[id]);
    }

    /// <summary>A token as a reader sees it; a dot at the end marks one that a word goes on after, such as
    /// "berser·".</summary>
    /// <param name="token">The token as the vocabulary's file writes it.</param>
    public static string TextOf(string token)
    {
        bool ends = token.EndsWith(BpeVocabulary.EndOfWord, StringComparison.Ordinal)
            || token is BpeVocabulary.Start or BpeVocabulary.End;
        string text = BpeVocabulary.ToText(token);
        // A part of a character is no text: it is shown as the vocabulary's file writes it.
        if (text.Any(sign => sign == '\uFFFD' || char.IsControl(sign)))
            text = $"bytes {token.Replace(BpeVocabulary.EndOfWord, "", StringComparison.Ordinal)}";
        return ends ? text : text + "·";
    }

    /// <summary>Whether a token is a whole word of three letters or more.</summary>
    /// <param name="token">The token as the vocabulary's file writes it.</param>
    public static bool IsWord(string token) => token.EndsWith(BpeVocabulary.EndOfWord, StringComparison.Ordinal)
        && token.Length > BpeVocabulary.EndOfWord.Length + 2 && char.IsLetter(token[0]);

    private static double MeanDistanceOf(ReadOnlySpan<float> table, ReadOnlySpan<float> vector)
    {
        double sum = 0;
        for (int row = 0; row < table.Length; row += vector.Length)
            sum += TensorPrimitives.Distance(table.Slice(row, vector.Length), vector);
        return sum / (table.Length / vector.Length);
    }

    /// <summary>Vectors of random directions, each as long as the one in its place.</summary>
    private static float[] RandomLike(ReadOnlySpan<float> vectors, int width, ulong seed)
    {
        var random = new float[vectors.Length];
        for (int row = 0; row < vectors.Length; row += width)
        {
            var stream = new RandomStream(seed, RandomPurpose.Initialization, RandomVectors, (uint)(row / width));
            Span<float> vector = random.AsSpan(row, width);
            foreach (ref float value in vector)
                value = stream.NextNormal();
            TensorPrimitives.Multiply(vector,
                TensorPrimitives.Norm(vectors.Slice(row, width)) / TensorPrimitives.Norm<float>(vector), vector);
        }
        return random;
    }

    // Distinct from the steps that weights are drawn in.
    private const uint RandomVectors = 0x574F5244;
}
