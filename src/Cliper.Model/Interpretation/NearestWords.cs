using System.Numerics.Tensors;

namespace Cliper.Model.Interpretation;

/// <summary>
/// The paper's reading of what was learned: the words of the vocabulary whose embeddings are nearest to a learned
/// vector, by Euclidean distance.
/// </summary>
public static class NearestWords
{
    /// <summary>Vectors compared with a row of the table while it is in the cache.</summary>
    private const int VectorsPerPass = 16;

    /// <summary>Finds the nearest words of each vector.</summary>
    /// <param name="table">Token embeddings, [vocabulary, width].</param>
    /// <param name="width">Elements of a vector.</param>
    /// <param name="vectors">Learned vectors, [count, width]; for METD the rows are class, descriptor, token.</param>
    /// <param name="word">Gives the text of a token id.</param>
    /// <param name="count">Words wanted of each vector; fewer when the vocabulary is smaller.</param>
    /// <param name="include">Token ids to consider, such as whole words only; null for all.</param>
    /// <returns>For each vector its nearest words, nearest first; the lower id first at equal distance. A vector with
    /// a NaN has none.</returns>
    /// <exception cref="ArgumentException">The lengths are no multiples of the width.</exception>
    public static IReadOnlyList<IReadOnlyList<NearestWord>> Find(ReadOnlySpan<float> table, int width,
        ReadOnlySpan<float> vectors, Func<int, string> word, int count, Func<int, bool>? include = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        if (table.Length % width != 0 || vectors.Length % width != 0)
            throw new ArgumentException($"{table.Length} and {vectors.Length} elements in rows of {width}",
                nameof(width));

        int rows = vectors.Length / width;
        var nearest = new SortedSet<(float Distance, int Id)>[rows];
        for (int row = 0; row < rows; row++)
            nearest[row] = [];
        for (int first = 0; first < rows; first += VectorsPerPass)
        {
            int last = Math.Min(rows, first + VectorsPerPass);
            for (int id = 0; id < table.Length / width; id++)
            {
                if (include?.Invoke(id) == false)
                    continue;
                ReadOnlySpan<float> embedding = table.Slice(id * width, width);
                for (int row = first; row < last; row++)
                {
                    float distance = TensorPrimitives.Distance(embedding, vectors.Slice(row * width, width));
                    SortedSet<(float Distance, int Id)> best = nearest[row];
                    if (float.IsNaN(distance) || (best.Count == count && distance >= best.Max.Distance))
                        continue;
                    best.Add((distance, id));
                    if (best.Count > count)
                        best.Remove(best.Max);
                }
            }
        }
        return [.. nearest.Select(best =>
            (IReadOnlyList<NearestWord>)[.. best.Select(hit => new NearestWord(hit.Id, word(hit.Id), hit.Distance))])];
    }
}

/// <summary>A word near a learned vector.</summary>
/// <param name="Id">The token's id.</param>
/// <param name="Word">Text of the token.</param>
/// <param name="Distance">Euclidean distance of the embedding to the vector.</param>
public sealed record NearestWord(int Id, string Word, float Distance);
